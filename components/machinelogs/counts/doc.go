// Package counts says which lines of the machines' logs are counted as metrics, because no machine's own metrics tell of what they
// are about. It knows neither Pulumi nor AWS.
package counts
