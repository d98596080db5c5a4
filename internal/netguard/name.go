package netguard

import (
	"math"
	"strings"
)

const (
	localName    = "localhost"
	maxNameBytes = 253
	maxLabel     = 63
)

// platformName reports whether a host, in any case and with or without a root
// dot, is how a platform calls its metadata service or its own control plane.
func platformName(host string) bool {
	switch strings.TrimSuffix(strings.ToLower(host), ".") {
	case "metadata", "metadata.google.internal", "metadata.goog",
		"instance-data", "instance-data.ec2.internal",
		"metadata.azure.internal", "metadata.tencentyun.com",
		"metadata.packet.net", "metadata.platformequinix.com", "rancher-metadata",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"_api.internal":
		return true
	}
	return false
}

// hostName reports whether a name is how containers call the machine they run
// on.
func hostName(name string) bool {
	switch name {
	case "host.docker.internal", "gateway.docker.internal", "host.containers.internal":
		return true
	}
	return false
}

// checkName judges the form of a host that is no address. Single labels and
// underscores are fine: containers are named so.
func checkName(host string) error {
	const hint = "write the host as a name such as agent.example.com, or as an address such as 192.168.1.7"
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	// Some readers take such a host for an IPv4 address: 127.1, 0x7f.1, 2130706433.
	if last := labels[len(labels)-1]; last != "" && (digits(last) || strings.HasPrefix(strings.ToLower(last), "0x")) {
		return refuse(reasonHost, "its host is an address in an unusual spelling", hint)
	}
	if len(strings.TrimSuffix(host, ".")) > maxNameBytes {
		return refuse(reasonHost, "its host is longer than 253 bytes", hint)
	}
	for _, l := range labels {
		if !validLabel(l) {
			return refuse(reasonHost, "its host is no name", hint)
		}
	}
	return nil
}

func validLabel(l string) bool {
	if l == "" || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	if strings.ContainsFunc(l, func(r rune) bool { return !alphanumeric(r) && r != '-' && r != '_' }) {
		return false
	}
	encoded, international := strings.CutPrefix(strings.ToLower(l), "xn--")
	return !international || decodes(encoded)
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func digits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// The parameters of Punycode, RFC 3492 section 5.
const (
	punyBase     = 36
	punyMin      = 1
	punyMax      = 26
	punySkew     = 38
	punyDamp     = 700
	punyBias     = 72
	punyFirst    = 0x80
	maxCodePoint = 0x10ffff
)

// decodes reports whether what follows xn-- is Punycode for at least one
// character outside ASCII. The characters themselves are of no interest: the
// name is used as it was written.
func decodes(s string) bool {
	length := max(strings.LastIndexByte(s, '-'), 0) // characters so far
	if length > 0 {
		s = s[length+1:]
	}
	point, at, bias := punyFirst, 0, punyBias
	for s != "" {
		delta, used := punyDelta(s, bias)
		if used == 0 || delta > math.MaxInt32-at {
			return false
		}
		s = s[used:]
		length++
		bias = adapt(delta, length, at == 0)
		at += delta
		point += at / length
		if point > maxCodePoint || point >= 0xd800 && point <= 0xdfff {
			return false
		}
		at = at%length + 1
	}
	return at > 0
}

// punyDelta reads one number and returns how many bytes it took, 0 when it is
// not valid.
func punyDelta(s string, bias int) (delta, used int) {
	weight := 1
	for i := range len(s) {
		d := punyDigit(s[i])
		if d < 0 || d > (math.MaxInt32-delta)/weight {
			return 0, 0
		}
		delta += d * weight
		threshold := min(max(punyBase*(i+1)-bias, punyMin), punyMax)
		if d < threshold {
			return delta, i + 1
		}
		if weight > math.MaxInt32/(punyBase-threshold) {
			return 0, 0
		}
		weight *= punyBase - threshold
	}
	return 0, 0
}

// adapt returns the next bias.
func adapt(delta, length int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / length
	k := 0
	for delta > (punyBase-punyMin)*punyMax/2 {
		delta /= punyBase - punyMin
		k += punyBase
	}
	return k + (punyBase-punyMin+1)*delta/(delta+punySkew)
}

func punyDigit(b byte) int {
	switch {
	case b >= 'a' && b <= 'z':
		return int(b - 'a')
	case b >= '0' && b <= '9':
		return int(b-'0') + 26
	}
	return -1
}
