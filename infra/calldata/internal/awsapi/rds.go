package awsapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// DatabaseLogin answers user and password that RDS keeps in a secret. No error shows them: that nobody may read it has the code
// cli.ExitUnreachable, that it is something else cli.ExitUnhealthy.
func DatabaseLogin(ctx context.Context, client *secretsmanager.Client, arn string) (user, password string, err error) {
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)})
	if err != nil {
		return "", "", cli.WithCode(cli.ExitUnreachable, fmt.Errorf("read the database's password, %s: %s: log in to AWS as somebody who may read it", arn, Message(err)))
	}
	var value struct{ Username, Password string }
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &value) != nil || value.Username == "" || value.Password == "" {
		return "", "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("the secret %s is no JSON with username and password: RDS writes it so", arn))
	}
	return value.Username, value.Password, nil
}

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
