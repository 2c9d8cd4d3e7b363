// Package dashboard is `calldata dashboard`: the dashboards of a stack, made from its settings alone and drawn as a picture with sample
// data. AWS is not asked.
package dashboard
