// Package archtest holds the tree to its own rules: which package may import
// which, where each library lives, who may start goroutines and who may dial.
//
// It has no code of its own; the tables are in arch_test.go.
package archtest
