package molecule

// The rules of dangers: what may go wrong with a secret.
const (
	DangerCoupledOrder  = "coupled_order"   // one copy without the other breaks something, and the order matters
	DangerSilentFailure = "silent_failure"  // a wrong or empty value is not noticed
	DangerKillsOld      = "kills_old"       // making a new value ends the old one
	DangerWindow        = "window"          // the old value ends at a time others set
	DangerSelf          = "self_credential" // it opens the door through which it is changed
	DangerExactValue    = "exact_value"     // any other value is refused
	DangerWrapsData     = "wraps_data"      // data cannot be read without it
	DangerShadowed      = "shadowed"        // a nearer value hides this one
	DangerHeldBack      = "held_back"       // somebody goes on with the old value
	DangerPrecondition  = "precondition"    // something has to be true first
	DangerFalseProbe    = "false_probe"     // an obvious check passes with any value
	DangerStaged        = "staged"          // written is not in use
	DangerEncoding      = "encoding"        // characters of it mean something where it stands
	DangerReused        = "reused"          // the same value is used elsewhere
	DangerLogged        = "logged"          // changing it the plain way writes it into a log
)

// DangerRules lists the rules.
func DangerRules() []string {
	return []string{
		DangerCoupledOrder, DangerSilentFailure, DangerKillsOld, DangerWindow, DangerSelf, DangerExactValue, DangerWrapsData, DangerShadowed,
		DangerHeldBack, DangerPrecondition, DangerFalseProbe, DangerStaged, DangerEncoding, DangerReused, DangerLogged,
	}
}

// Validate refuses a danger that nobody could look up, or that says nothing.
func (d Danger) Validate() error {
	if d.Rule == "" || d.Text == "" {
		return Errorf(Invalid, "a danger needs its rule and its text").WithHint("write {rule: %s, text: …}", DangerSilentFailure)
	}
	return choice("danger", d.Rule, DangerRules()...)
}
