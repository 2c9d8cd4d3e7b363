package permission

import "github.com/calldata/calldata-foundation/components/iamdoc"

// stateFiles are the objects of Pulumi's backend that are this stack's alone.
// Source: pulumi/pulumi 3.259, pkg/backend/diy, store.go, lock.go and stack_tags.go.
func (s Scope) stateFiles() []string {
	at := "arn:aws:s3:::" + s.StateBucket + "/.pulumi/"
	return []string{
		at + "stacks/" + s.Project + "/" + s.stack() + ".*",
		at + "history/" + s.Project + "/" + s.stack() + "/*",
		at + "backups/" + s.Project + "/" + s.stack() + "/*",
		at + "locks/organization/" + s.Project + "/" + s.stack() + "/*",
	}
}

// stateMeta says which layout the backend has; every stack reads it.
func (s Scope) stateMeta() string { return "arn:aws:s3:::" + s.StateBucket + "/.pulumi/meta.yaml" }

// readState lets Pulumi find the stack, read it, and read its secrets. A preview writes nothing, not even a lock.
func (s Scope) readState() []iamdoc.Statement {
	return []iamdoc.Statement{
		{Sid: "ListState", Actions: []string{"s3:ListBucket", "s3:GetBucketLocation"}, Resources: []string{"arn:aws:s3:::" + s.StateBucket}},
		{Sid: "ReadState", Actions: []string{"s3:GetObject"}, Resources: append(s.stateFiles(), s.stateMeta())},
		s.secretsKey("ReadSecretsOfState", "kms:Decrypt", "kms:DescribeKey"),
	}
}

// writeState lets Pulumi lock the stack, change it and encrypt its secrets, and an operator go back to an older version.
func (s Scope) writeState() []iamdoc.Statement {
	return []iamdoc.Statement{
		{Sid: "FindOldState", Actions: []string{"s3:ListBucketVersions"}, Resources: []string{"arn:aws:s3:::" + s.StateBucket}},
		{Sid: "WriteState", Actions: []string{"s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion"}, Resources: s.stateFiles()},
		s.secretsKey("WriteSecretsOfState", "kms:Encrypt", "kms:GenerateDataKey"),
	}
}

// secretsKey knows the key by its alias: nobody but an administrator can give that to another key.
func (s Scope) secretsKey(sid string, actions ...string) iamdoc.Statement {
	return iamdoc.Statement{
		Sid: sid, Actions: actions, Resources: s.arns("kms", "key/*"), Conditions: conditions{"ForAnyValue:StringEquals": {"kms:ResourceAliases": {s.SecretsKeyAlias}}},
	}
}
