// Package vault keeps secrets: sealed at rest, in versions, told only to whom
// they belong.
//
// Each version is sealed by a data key of its own, and that key by the master
// key, so that a change of the master key touches no value, and destroying the
// data key of a version is destroying the version. What the store gets is
// ciphertext; what it gives back opens only where it was sealed, as the same
// version of the same secret.
//
// Start with [Keyring], which holds the master keys, and [Service].
package vault
