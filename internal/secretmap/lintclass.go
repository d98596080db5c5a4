package secretmap

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// class judges whether a secret has what its class is made by, and nothing that
// another class is made by.
func (l *linter) class(s molecule.MappedSecret) {
	for _, made := range []struct {
		class     molecule.SecretClass
		field     string
		has, must bool
	}{
		{molecule.SecretDerived, "template", s.Template != "", true},
		{molecule.SecretGenerated, "generator", s.Generator != nil, true},
		{molecule.SecretLiteral, "literal", s.Literal != "", true},
		{molecule.SecretConfig, "precondition", s.Precondition != nil, true},
		{molecule.SecretRoot, "rewrap", s.Rewrap != nil, true},
		{molecule.SecretMinted, "mint", s.Mint != nil, false},
	} {
		shared := made.field == "generator" && s.Class == molecule.SecretRoot // which is made here, too
		switch {
		case made.class == s.Class && !made.has && made.must:
			l.add(RuleClassNeeds, s, "class", "write "+made.field+":, or change the class", "%s is %s and has no %s", s.Name, s.Class, made.field)
		case made.class != s.Class && made.has && !shared:
			l.add(RuleClassNeeds, s, made.field, fmt.Sprintf("take it out, or write class: %s", made.class), "%s is %s, and %s says nothing of it", s.Name, s.Class, made.field)
		}
	}
	_, err := ParseTemplate(s.Template)
	if s.Class == molecule.SecretDerived && err == nil && len(Needs(s)) == 0 && s.Template != "" {
		l.add(RuleTemplate, s, "template", "refer to another secret: ${NAME}", "the template of %s refers to no secret, so that it never changes", s.Name)
	}
}

// times judges when a secret is changed, and how long the old value lives.
func (l *linter) times(s molecule.MappedSecret) {
	switch window := s.Overlap == molecule.OverlapWindow; {
	case window && s.Window == 0:
		l.add(RuleWindow, s, "overlap", "write window: 24h, as long as the provider says", "the overlap of %s is a window, and nothing says how long", s.Name)
	case !window && s.Window != 0:
		l.add(RuleWindow, s, "window", "take it out, or write overlap: window", "%s has a window of %s, and its overlap is %s", s.Name, s.Window, s.Effective().Overlap)
	case window && s.Grace >= s.Window:
		l.add(RuleWindow, s, "grace", "write a shorter grace, or none", "the grace of %s is %s, and the old value dies after %s", s.Name, s.Grace, s.Window)
	}
	changes := s.RotateEvery != 0
	switch {
	case changes && s.Policy != "":
		l.add(RuleRotation, s, "policy", "keep one of them", "%s has a schedule and the policy %s", s.Name, s.Policy)
	case !changes && s.Policy == "":
		l.add(RuleRotation, s, "name", "write rotate_every: 90d, or policy: on_incident", "nothing says when %s is changed", s.Name)
	case changes && s.Class == molecule.SecretRoot:
		l.add(RuleRotation, s, "rotate_every", "write policy: on_incident",
			"%s wraps other data and is never changed by the calendar: whatever it wraps has to be counted and wrapped anew first", s.Name)
	case changes && s.Rotatable() != nil:
		l.add(RuleRotation, s, "rotate_every", "write a policy instead", "%s cannot be changed by the calendar: it is %s", s.Name, s.Class)
	case s.Class == molecule.SecretAuto && s.Policy != molecule.RotateAuto:
		l.add(RuleRotation, s, "policy", "write policy: auto", "%s is made by the platform, and its policy is %s", s.Name, s.Policy)
	case s.Class != molecule.SecretAuto && s.Policy == molecule.RotateAuto:
		l.add(RuleRotation, s, "policy", "write rotate_every: 90d, or policy: on_incident", "%s is %s, which no platform changes by itself", s.Name, s.Class)
	}
}

// sinks judges where copies live and in which order they are written.
func (l *linter) sinks(s molecule.MappedSecret) {
	order := make(map[int]int)
	sorted := s.Effective().Sinks
	for i, k := range s.Sinks {
		field := fmt.Sprintf("sinks[%d]", i)
		if first, twice := order[k.Order]; twice && k.Order != 0 {
			l.add(RuleOrder, s, field+".order", "say which comes first", "sinks %d and %d of %s are both written as number %d", first+1, i+1, s.Name, k.Order)
		}
		order[k.Order] = i
		if k.Credential == s.Name && sorted[0].Place() != k.Place() {
			l.add(RuleSelfFirst, s, field, "give it the lowest order",
				"%s is opened by %s itself and is not written first: when the new value does not open it, other copies hold it already", k.Place(), s.Name)
		}
		for _, key := range slices.Sorted(maps.Keys(k.Target)) {
			local := slices.Contains([]string{"file", "envfile", "htpasswd", "systemd"}, k.Kind)
			if v := k.Target[key]; key == "path" && local && v != "" && !filepath.IsAbs(v) {
				l.add(RulePath, s, field+".target.path", "write it from the root", "the path %q begins where the daemon was started", v)
			}
		}
		if slices.Contains([]string{"webhook", "vault", "kubernetes"}, k.Kind) && strings.HasPrefix(k.Target["url"], "http://") && !loopback(k.Target["url"]) {
			l.add(RuleExposed, s, field+".target.url", "use https", "the value is sent over a connection that is not encrypted")
		}
	}
}

// probes judges how a new value is proved and an old one ended.
func (l *linter) probes(s molecule.MappedSecret) {
	if provable := s.Rotatable() == nil && s.Class != molecule.SecretConfig; provable && s.Verify == nil && !readable(s) {
		l.add(RuleUnproven, s, "name", "write verify:, a question that only a living value answers",
			"nobody proves a new value of %s: it has no verify, and not every sink can be asked what it holds", s.Name)
	}
	if s.Verify != nil && s.Verify.Kind == molecule.ProbeNone {
		l.add(RuleUnproven, s, "verify.kind", "write a probe that a machine can ask", "a person proves %s, so nothing does when no person is there", s.Name)
	}
	outlives := s.Overlap != molecule.OverlapSingleMinted && s.Overlap != molecule.OverlapSingleSettable && s.Overlap != molecule.OverlapWindow
	if (s.Class == molecule.SecretMinted || s.Class == molecule.SecretRoot) && outlives && s.Revoke == nil {
		l.add(RuleNeverRevoked, s, "name", "write revoke:, also when a person does it", "the old value of %s works for ever: nothing revokes it", s.Name)
	}
	if s.Verify != nil && s.Verify.Kind == molecule.ProbeHTTP {
		l.control(s, s.Verify)
	}
}

// control judges whether a probe can tell a living value from garbage.
func (l *linter) control(s molecule.MappedSecret, p *molecule.Probe) {
	both := slices.IndexFunc(p.Alive, func(status int) bool { return slices.Contains(p.Dead, status) })
	uses := slices.ContainsFunc(probeUsages("verify", p, false), func(u usage) bool {
		t, err := ParseTemplate(u.text)
		return err == nil && slices.ContainsFunc(t.Refs(), func(r Ref) bool { return r.Name == refValue })
	})
	switch {
	case !uses:
		l.add(RuleControl, s, "verify", "send it: headers: {Authorization: \"Bearer ${value}\"}", "the probe of %s does not send the value, so it passes with any", s.Name)
	case len(p.Alive) == 0:
		l.add(RuleControl, s, "verify", "write alive: [200]", "the probe of %s does not say which answer only a living value gets", s.Name)
	case len(p.Dead) == 0:
		l.add(RuleControl, s, "verify", "write dead: [401]", "the probe of %s does not say which answer a dead value gets, so nothing shows that it can fail", s.Name)
	case both >= 0:
		l.add(RuleControl, s, "verify.dead", "ask something that is answered differently", "the probe of %s takes status %d for alive and for dead", s.Name, p.Alive[both])
	}
}

// readable reports whether every sink can be asked what it holds.
func readable(s molecule.MappedSecret) bool {
	return !slices.ContainsFunc(s.Sinks, func(k molecule.SinkSpec) bool {
		kind, ok := molecule.SinkKindOf(k.Kind)
		return !ok || kind.WriteOnly
	})
}

// dangers judges whether what follows from the map is said.
func (l *linter) dangers(s molecule.MappedSecret) {
	fromMap := map[string]string{}
	needs := func(when bool, rule, why string) {
		if when {
			fromMap[rule] = why
		}
	}
	needs(s.Coupled() && s.Rotatable() == nil, molecule.DangerCoupledOrder, "its copies have to change together")
	needs(s.SelfCredential(), molecule.DangerSelf, "it opens a place where it is kept itself")
	needs(s.Overlap == molecule.OverlapSingleMinted, molecule.DangerKillsOld, "making a new one ends the old one")
	needs(s.Overlap == molecule.OverlapWindow, molecule.DangerWindow, "others end the old one")
	needs(s.Class == molecule.SecretRoot, molecule.DangerWrapsData, "data is lost with it")
	needs(s.Class == molecule.SecretLiteral, molecule.DangerExactValue, "any other value is refused")
	needs(s.Class == molecule.SecretConfig, molecule.DangerPrecondition, "something has to be true before it changes")
	for i, d := range s.Dangers {
		delete(fromMap, d.Rule)
		if d.Evidence == "" {
			l.add(RuleEvidence, s, fmt.Sprintf("danger[%d]", i), "write evidence: and where it is known from", "the danger %s of %s is only said", d.Rule, s.Name)
		}
		if d.Rule == molecule.DangerSilentFailure && s.MayBeEmpty {
			l.add(RuleEmpty, s, "may_be_empty", "take it out", "%s may be empty, and its danger says that nobody would notice", s.Name)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(fromMap)) {
		l.add(RuleDanger, s, "name", "write danger: [{rule: "+rule+", text: …, evidence: …}]", "%s lacks the danger %s: %s", s.Name, rule, fromMap[rule])
	}
}
