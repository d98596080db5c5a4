package rotation

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func token(sinks []molecule.SinkSpec) molecule.MappedSecret {
	return molecule.MappedSecret{Name: "TOKEN", Class: molecule.SecretMinted, Sinks: sinks}
}

func TestRotate_changesEveryCopyAndThenTheVersionInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	paths, sinks := r.files("old-value", 3)
	r.apply(token(sinks))
	r.store("TOKEN", "old-value")
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN", Value: shown("new-value")})
	r.wantState(got, molecule.RotationDone)
	r.wantHeld(paths, "new-value")
	if v := r.inUse("TOKEN"); v != "new-value" || got.Version != 2 || got.Old != 1 {
		t.Errorf("in use is %q, rotation %+v", v, got)
	}
	if len(got.ByHand) != 1 || !strings.Contains(got.ByHand[0], "v1 still works") {
		t.Errorf("left to a person is %q", got.ByHand)
	}
	s, err := r.db.Secret(r.ctx, "TOKEN")
	if err != nil || s.Versions[0].State != molecule.VersionCurrent || s.Versions[1].State != molecule.VersionRetired {
		t.Errorf("versions are %+v, %v", s.Versions, err)
	}
}

func TestRotate_theFirstTimeCreatesTheSecretAndItsCopies(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	paths, sinks := r.files("", 2)
	s := token(sinks)
	s.Class, s.Generator = molecule.SecretGenerated, &molecule.Generator{Kind: molecule.GeneratePassword, Length: 20}
	r.apply(s)
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN"})
	r.wantState(got, molecule.RotationDone)
	if v := r.inUse("TOKEN"); len(v) != 20 {
		t.Errorf("in use is %q", v)
	}
	r.wantHeld(paths, r.inUse("TOKEN"))
}

func TestRotate_aPlaceThatRefusesPutsBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, refusing("copy2", 1))
	paths, sinks := r.files("old-value", 3)
	r.apply(token(sinks))
	r.store("TOKEN", "old-value")
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN", Value: shown("new-value")})
	r.wantState(got, molecule.RotationRolledBack)
	r.wantHeld(paths, "old-value")
	if got.Fault == nil || got.Fault.Place != got.Steps[1].Place || got.Fault.Trouble != "refused" || got.Next == "" {
		t.Errorf("fault is %+v, next %q", got.Fault, got.Next)
	}
	if v := r.inUse("TOKEN"); v != "old-value" {
		t.Errorf("in use is %q", v)
	}
	if s := got.Steps; s[0].State != molecule.StepUndone || s[2].State != molecule.StepPending {
		t.Errorf("steps are %+v", s)
	}
}

func TestRotate_aCopyThatChangedBehindOurBackIsHeldAndNeverOverwritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	paths, sinks := r.files("old-value", 2)
	r.apply(token(sinks))
	r.store("TOKEN", "old-value")
	r.write(paths[1], "a-strangers")
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN", Value: shown("new-value")})
	r.wantState(got, molecule.RotationHeld)
	r.wantHeld(paths, "old-value", "a-strangers")
	if got.Fault == nil || got.Fault.Trouble != "drift" || !strings.Contains(got.Next, "--resume "+got.ID) {
		t.Errorf("fault is %+v, next %q", got.Fault, got.Next)
	}

	r.write(paths[1], "old-value") // the person mends it, and says go on
	if _, err := r.service.Order(r.ctx, got.ID, resume); err != nil {
		t.Fatal(err)
	}
	r.wantState(r.drive(got.ID), molecule.RotationDone)
	r.wantHeld(paths, "new-value")
}

func TestRotate_driftBetweenTheLookAndTheWriteIsLeftBothWays(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	paths, sinks := r.files("old-value", 2)
	r.apply(token(sinks))
	r.store("TOKEN", "old-value")
	r.engine.reached = func(point string) {
		if point == "applying: before the effect of step 2" {
			r.write(paths[1], "a-strangers")
		}
	}
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN", Value: shown("new-value")})
	r.wantState(got, molecule.RotationHeld)
	r.wantHeld(paths, "new-value", "a-strangers")
	if _, err := r.service.Order(r.ctx, got.ID, rollBack); err != nil {
		t.Fatal(err)
	}
	r.wantState(r.drive(got.ID), molecule.RotationRolledBack)
	r.wantHeld(paths, "old-value", "a-strangers")
}

func TestRotate_holdKeepsWhatWasWrittenForAPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t, refusing("copy2", 1))
	paths, sinks := r.files("old-value", 2)
	r.apply(token(sinks))
	r.store("TOKEN", "old-value")
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN", Value: shown("new-value"), Hold: true})
	r.wantState(got, molecule.RotationHeld)
	r.wantHeld(paths, "new-value", "old-value")
	over, err := r.service.AbandonRotation(r.ctx, got.ID)
	if err != nil || over.State != molecule.RotationAbandoned || len(over.ByHand) != 2 {
		t.Errorf("got %+v, %v", over, err)
	}
	r.wantHeld(paths, "new-value", "old-value")
	if _, err := r.service.Begin(r.ctx, molecule.NewRotation{Secret: "TOKEN", Value: shown("third-value")}); err != nil {
		t.Errorf("an abandoned rotation is in the way: %v", err)
	}
}

func TestRotate_aValueThatIsTakenNowhereIsMadeAnewOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		times int
		want  molecule.RotationState
	}{
		"the second is taken":     {1, molecule.RotationDone},
		"the second is not taken": {2, molecule.RotationRolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rejecting("copy2", tt.times))
			paths, sinks := r.files("old-value", 2)
			s := token(sinks)
			s.Class, s.Generator = molecule.SecretGenerated, &molecule.Generator{Kind: molecule.GenerateHex}
			r.apply(s)
			r.store("TOKEN", "old-value")
			got := r.rotate(molecule.NewRotation{Secret: "TOKEN"})
			r.wantState(got, tt.want)
			if got.Attempt != 2 || got.Version != 3 {
				t.Errorf("attempt %d brought version %d", got.Attempt, got.Version)
			}
			r.wantHeld(paths, r.inUse("TOKEN"))
		})
	}
}

func TestRotate_whatIsMadeOfASecretChangesWithIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	paths, sinks := r.files("", 3)
	sinks[1].Template = "url=${value}"
	s := token(sinks[:1])
	s.Class, s.Generator = molecule.SecretGenerated, &molecule.Generator{Kind: molecule.GenerateHex}
	made := molecule.MappedSecret{Name: "URL", Class: molecule.SecretDerived, Template: "redis://u:${TOKEN:url}@h", Sinks: sinks[1:]}
	r.apply(s, made)
	r.store("TOKEN", "old/value")
	r.write(paths[0], "old/value")
	r.write(paths[1], "url=redis://u:old%2Fvalue@h")
	r.write(paths[2], "redis://u:old%2Fvalue@h")
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN", Value: shown("new/value")})
	r.wantState(got, molecule.RotationDone)
	r.wantHeld(paths, "new/value", "url=redis://u:new%2Fvalue@h", "redis://u:new%2Fvalue@h")
}

func TestBegin_twoAtOnceAndWhatMayNotBeRotatedAreConflicts(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	_, sinks := r.files("old-value", 1)
	literal := molecule.MappedSecret{Name: "USER", Class: molecule.SecretLiteral, Literal: "x", Sinks: sinks}
	root := molecule.MappedSecret{Name: "ROOT", Class: molecule.SecretRoot, Sinks: sinks}
	made := molecule.MappedSecret{Name: "URL", Class: molecule.SecretDerived, Template: "${TOKEN}${SALT}", Sinks: sinks}
	salt := molecule.MappedSecret{Name: "SALT", Class: molecule.SecretMinted, Sinks: sinks}
	r.apply(token(sinks), literal, root, made, salt)
	r.store("TOKEN", "old-value")
	begin := func(name string) error {
		_, err := r.service.Begin(r.ctx, molecule.NewRotation{Secret: name, Value: shown("another-value")})
		return err
	}
	var tries sync.WaitGroup
	var mu sync.Mutex
	var refusals []error
	for range 4 {
		tries.Go(func() {
			err := begin("TOKEN")
			mu.Lock()
			defer mu.Unlock()
			refusals = append(refusals, err)
		})
	}
	tries.Wait()
	begun := slices.DeleteFunc(slices.Clone(refusals), func(err error) bool { return molecule.CodeOf(err) == molecule.Conflict })
	if len(begun) != 1 || begun[0] != nil {
		t.Errorf("of four at once: %v", refusals)
	}
	for _, name := range []string{"TOKEN", "SALT", "USER", "ROOT", "URL"} {
		if err := begin(name); molecule.CodeOf(err) != molecule.Conflict || molecule.HintOf(err) == "" {
			t.Errorf("%s: got %v with hint %q, want a Conflict with one", name, err, molecule.HintOf(err))
		}
	}
	if err := begin("NONE"); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("got %v", err)
	}
	_, err := r.vault.SetSecret(r.ctx, molecule.NewSecretValue{Name: "TOKEN", Value: shown("third-value")})
	if molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("a version was set in the middle of a rotation: %v", err)
	}
	if err := r.vault.RemoveSecret(r.ctx, "TOKEN"); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("a secret was removed in the middle of its rotation: %v", err)
	}
}

func TestPlanRotation_saysWhatWouldHappenAndTouchesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	paths, sinks := r.files("old-value", 2)
	r.apply(token(sinks))
	r.store("TOKEN", "old-value")
	r.write(paths[1], "a-strangers")
	got, err := r.service.PlanRotation(r.ctx, "TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, s := range got.Steps {
		steps = append(steps, strings.TrimSpace(s.Do+" "+s.Holds))
	}
	if diff := cmp.Diff(steps, []string{"make", "write old", "write other", "verify", "promote", "revoke"}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if got.Ready || got.Steps[2].Fault == "" || got.NoReturn != 5 {
		t.Errorf("got %+v", got)
	}
	r.wantHeld(paths, "old-value", "a-strangers")
	all, err := r.service.Rotations(r.ctx, true)
	if err != nil || len(all) != 0 {
		t.Errorf("a plan left %+v, %v", all, err)
	}
}

func TestSecretCopies_showWhichAreTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	paths, sinks := r.files("old-value", 3)
	r.apply(token(sinks))
	r.store("TOKEN", "old-value")
	r.write(paths[1], "a-strangers")
	if err := os.Remove(paths[2]); err != nil {
		t.Fatal(err)
	}
	all, err := r.service.SecretCopies(r.ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.db.Secret(r.ctx, "TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, c := range all {
		held = append(held, c.Holds)
	}
	if diff := cmp.Diff(held, []string{"current", "other", "nothing"}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if all[0].Fingerprint != s.Fingerprint || all[1].Fingerprint == s.Fingerprint || all[2].Fingerprint != "" {
		t.Errorf("got %+v of %s", all, s.Fingerprint)
	}
}

func TestRotate_noRowOfTheStoreHoldsAValue(t *testing.T) {
	t.Parallel()
	r := newRig(t, refusing("copy2", 1))
	_, sinks := r.files("old-canary-7731", 2)
	r.apply(token(sinks))
	r.store("TOKEN", "old-canary-7731")
	got := r.rotate(molecule.NewRotation{Secret: "TOKEN", Value: shown("new-canary-7732")})
	r.wantState(got, molecule.RotationRolledBack)
	for _, name := range []string{"moleculed.db", "moleculed.db-wal"} {
		raw, err := os.ReadFile(r.dir + "/data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "canary") {
			t.Errorf("%s holds a value", name)
		}
	}
}
