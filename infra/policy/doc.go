// Package policy holds the rules that every stack of the platform must keep: security, resilience, cost, and what
// telephony asks for besides. A rule is a plain function over the resources of a stack, so that unit tests (over what a
// program registered under Pulumi's mocks), previews (package pack, Pulumi's policy pack) and stored state
// (`calldata policy`) judge by the same words.
//
// A value that is not known yet is not held against anybody: a rule fails only on what it can see. What a preview cannot
// tell is judged again on the stored state.
package policy
