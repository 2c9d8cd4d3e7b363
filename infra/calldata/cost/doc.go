// Package cost is `calldata cost`: what a stack will cost in a month, resource by resource, before it is deployed. The
// estimate is a function of the topology and of a price table in this package; it asks nobody.
package cost
