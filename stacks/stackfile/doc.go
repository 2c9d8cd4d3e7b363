// Package stackfile reads a stack's settings from Pulumi.yaml and Pulumi.<stack>.yaml as Pulumi would hand them to the
// program. Commands that price, draw or check a stack need no Pulumi, no credentials and no state for that.
package stackfile
