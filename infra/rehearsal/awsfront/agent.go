package awsfront

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// agentKey is where AWS keeps its Systems Manager agent, in a bucket for each region.
// Source: AWS Systems Manager User Guide, "Manually installing SSM Agent on Debian Server instances".
const agentKey = "latest/debian_amd64/amazon-ssm-agent.deb"

// agentFiles are a package with the agent's name and unit that does nothing.
var agentFiles = map[string]struct {
	mode os.FileMode
	text string
}{
	"DEBIAN/control": {0o644, `Package: amazon-ssm-agent
Version: 0.0.0
Architecture: amd64
Maintainer: CallData Foundation
Description: stand-in for AWS Systems Manager's agent, for rehearsals
`},
	"usr/bin/amazon-ssm-agent": {0o755, `#!/bin/sh
echo "This is a stand-in for AWS Systems Manager's agent. It does nothing."
exec sleep infinity
`},
	"lib/systemd/system/amazon-ssm-agent.service": {0o644, `[Unit]
Description=Stand-in for AWS Systems Manager's agent

[Service]
ExecStart=/usr/bin/amazon-ssm-agent

[Install]
WantedBy=multi-user.target
`},
}

// publishAgent puts the stand-in where machines get the agent from, for anybody to read.
func publishAgent(ctx context.Context, c aws.Config) error {
	deb, err := buildAgent(ctx)
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := "amazon-ssm-" + c.Region
	_, err = client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	var owned *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &owned) {
		return fmt.Errorf("create bucket %s: %w", bucket, err)
	}
	_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(agentKey), Body: bytes.NewReader(deb), ACL: types.ObjectCannedACLPublicRead})
	if err != nil {
		return fmt.Errorf("put the Systems Manager agent's stand-in: %w", err)
	}
	return nil
}

// buildAgent makes the package.
func buildAgent(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "calldata-agent-")
	if err != nil {
		return nil, fmt.Errorf("build the Systems Manager agent's stand-in: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, deb := filepath.Join(dir, "root"), filepath.Join(dir, "agent.deb")
	for path, file := range agentFiles {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(file.text), file.mode)); err != nil { //nolint:gosec // in a package, nothing secret
			return nil, fmt.Errorf("build the Systems Manager agent's stand-in: %w", err)
		}
	}
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "--root-owner-group", "-Zgzip", "--build", root, deb).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the Systems Manager agent's stand-in: dpkg-deb: %w: %s", err, bytes.TrimSpace(out))
	}
	return os.ReadFile(deb) //nolint:gosec // just made
}
