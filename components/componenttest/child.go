package componenttest

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Child is a resource without properties, for tests that look at what an input makes its resource depend on.
type Child struct{ pulumi.CustomResourceState }
