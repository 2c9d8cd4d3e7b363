package awsapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// DatabaseAt finds the instance of RDS by the name that it listens at. That RDS does not answer, or knows none, has the code
// cli.ExitUnreachable.
func DatabaseAt(ctx context.Context, client *rds.Client, host string) (types.DBInstance, error) {
	pages := rds.NewDescribeDBInstancesPaginator(client, &rds.DescribeDBInstancesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return types.DBInstance{}, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask RDS: %s", Message(err)))
		}
		for _, i := range page.DBInstances {
			if i.Endpoint != nil && strings.EqualFold(aws.ToString(i.Endpoint.Address), host) {
				return i, nil
			}
		}
	}
	return types.DBInstance{}, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("RDS knows no database at %s in %s", host, client.Options().Region))
}
