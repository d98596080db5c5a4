package netguard

import "github.com/molecule-ai/molecli/internal/molecule"

// reason is why a URL is refused, in one word. The list is short and closed:
// whoever sends URLs learns the rule, never what a name resolved to or whether
// somebody listens.
type reason string

const (
	reasonScheme   reason = "scheme"   // not a plain http or https URL
	reasonUserinfo reason = "userinfo" // a user name or password
	reasonPort     reason = "port"
	reasonHost     reason = "host" // a host that is no name and no address, or not allowed here
	reasonAddress  reason = "address"
	reasonMetadata reason = "metadata" // credentials of the platform
	reasonSelf     reason = "self"     // this daemon
	reasonDNS      reason = "dns"      // a name that resolves to something refused
)

// refuse returns the error for a URL that is refused, saying which rule.
func refuse(r reason, rule, hint string) *molecule.Error {
	return molecule.Errorf(molecule.UnsafeURL, "URL refused (%s): %s", string(r), rule).WithHint("%s", hint)
}

// refuseAddress returns the error for an address that judge refuses.
func refuseAddress(r reason) *molecule.Error {
	switch r {
	case reasonMetadata:
		return refuse(r, "it names a place where platforms keep credentials", "use the address of the agent itself")
	case reasonSelf:
		return refuse(r, "it points at this daemon", "use the address of the agent itself")
	case reasonDNS:
		return refuse(r, "its name resolves to an address that agents may not have",
			"use a public or private network address; open another range with network.allow_prefixes")
	}
	return refuse(r, "agents may not have this address",
		"use a public or private network address; an administrator on the unix socket may name any, or open a range with network.allow_prefixes")
}
