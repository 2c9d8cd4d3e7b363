// Command program is a stack without a cloud: a component, and outputs of which one is secret. The setting fail makes it fail.
package main

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		names := []string{"first"}
		if more := get(ctx, "more"); more != "" {
			names = append(names, more)
		}
		for _, name := range names {
			if err := ctx.RegisterComponentResource("test:group:Group", name, &pulumi.ResourceState{}); err != nil {
				return err
			}
		}
		if get(ctx, "fail") == "true" {
			return errors.New("the program was told to fail")
		}
		ctx.Export("name", pulumi.String("first"))
		ctx.Export("password", pulumi.ToSecret("not for your eyes"))
		return nil
	})
}

func get(ctx *pulumi.Context, setting string) string {
	value, _ := ctx.GetConfig("trial:" + setting)
	return value
}
