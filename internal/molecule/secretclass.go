package molecule

// SecretClass says how a new value of a secret comes to be.
type SecretClass string

// The classes.
const (
	SecretMinted    SecretClass = "minted"          // made by a provider
	SecretGenerated SecretClass = "generated"       // made here, from random
	SecretDerived   SecretClass = "derived"         // a template over other secrets
	SecretLiteral   SecretClass = "literal"         // has to equal an exact value
	SecretConfig    SecretClass = "config"          // has a precondition
	SecretRoot      SecretClass = "encryption_root" // wraps other data
	SecretAuto      SecretClass = "auto"            // the platform makes it
)

// SecretClasses lists the classes.
func SecretClasses() []SecretClass {
	return []SecretClass{SecretMinted, SecretGenerated, SecretDerived, SecretLiteral, SecretConfig, SecretRoot, SecretAuto}
}
