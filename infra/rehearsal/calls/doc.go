// Package calls tests a deployed platform with calls: it plays carriers, phones and attackers outside of it, and says of
// each scenario what came of it. It knows the platform by its Plan alone, and runs where the plan's addresses are: in a
// rehearsal inside the network namespace, as `calldata calls`.
package calls
