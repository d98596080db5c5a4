package cli

import (
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const rotationID = "0190a1b2-c3d4-7e5f-8000-0000000000f1"

func rotationPlan() molecule.RotationPlan {
	return molecule.RotationPlan{
		Secret: "API_TOKEN", Class: molecule.SecretGenerated, Overlap: molecule.OverlapDual, Ready: true, NoReturn: 4,
		Steps: []molecule.PlannedStep{
			{N: 1, Do: "make", Text: "generate a value"}, {N: 2, Do: "write", Place: "file:/run/token", Holds: "old", Text: "write it"},
			{N: 3, Do: "verify", Text: "ask"}, {N: 4, Do: "promote", Text: "the new version is the one in use"},
		},
	}
}

func rolledBack() molecule.Rotation {
	return molecule.Rotation{
		ID: rotationID, Secret: "API_TOKEN", State: molecule.RotationRolledBack, Overlap: molecule.OverlapDual, Version: 3, Old: 2, Attempt: 1, By: "uid:0",
		Fingerprint: "5891b5b5", StartedAt: noon(), UpdatedAt: noon(), EndedAt: noon(), Next: "molecli secrets rotate API_TOKEN --plan",
		Fault: &molecule.RotationFault{Place: "file:/run/token", Trouble: "refused", Message: "/run/token may not be written", Hint: "give it to the daemon"},
		Steps: []molecule.RotationStep{{N: 1, Secret: "API_TOKEN", Place: "file:/run/token", Activation: molecule.ActivationImmediate, State: molecule.StepUndone, Holds: "old"}},
	}
}

func TestSecretsRotate_rolledBackIsPartialAndSaysWhatIsNext(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{
		"GET /v1/secrets/API_TOKEN/plan": {{0, rotationPlan()}}, "POST /v1/secrets/API_TOKEN/rotate": {{0, rolledBack()}},
	})
	got := newHand(t, d).run("secrets", "rotate", "API_TOKEN")
	if got.status != 8 || !strings.Contains(got.err, "rolled back, and v2 is in use: /run/token may not be written (refused)") ||
		!strings.HasSuffix(got.err, "try: molecli secrets rotate API_TOKEN --plan\n") {
		t.Errorf("got %+v", got)
	}
}

func TestSecretsRotate_withoutAWayBackOnlyPlansUntilYes(t *testing.T) {
	t.Parallel()
	plan := rotationPlan()
	plan.Overlap = molecule.OverlapSingleMinted
	d := newDaemon(t, map[string][]reply{"GET /v1/secrets/API_TOKEN/plan": {{0, plan}}})
	got := newHand(t, d).run("secrets", "rotate", "API_TOKEN")
	if got.status != 0 || !strings.Contains(got.err, "nothing was done") || !strings.Contains(got.err, "--yes") {
		t.Errorf("got %+v", got)
	}
}

func TestSecretsRotate_aValueOnTheCommandLineIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"API_TOKEN=hunter2-hunter2"}, {"API_TOKEN", "hunter2-hunter2"}} {
		got := newHand(t, nil).run(append([]string{"secrets", "rotate"}, args...)...)
		if got.status != 2 || strings.Contains(got.err, "hunter2") || !strings.Contains(got.err, "--from-file -") {
			t.Errorf("%v: got %+v", args, got)
		}
	}
}

func TestSecretsRotate_theRotationOfAnotherSecretIsNotMoved(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/rotations/" + rotationID: {{0, rolledBack()}}})
	got := newHand(t, d).run("secrets", "rotate", "OTHER", "--rollback", rotationID)
	if got.status != 2 || !strings.Contains(got.err, "not of OTHER") {
		t.Errorf("got %+v", got)
	}
}
