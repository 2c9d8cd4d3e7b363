package rehearsal

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Names of the rehearsal's world: example.com is nobody's (RFC 2606).
const (
	sceneZone  = "example.com"
	scenePager = "https://pager." + sceneZone + "/calls"
	sceneSlack = "T07EA123LEP/C07EZ1ABC23"
	// copyRegion gets the copies of stage's backups.
	copyRegion = "us-west-2"
)

// kindOf is the shape of a stack, which its settings name, or else its name.
func kindOf(repo, stack string) (stacks.Kind, error) {
	file, err := stackfile.Read(repo, stack)
	if err != nil {
		return "", err
	}
	if topology, _ := file.Get(stacks.Project + ":topology"); topology != "" {
		return stacks.Kind(topology), nil
	}
	return stacks.Kind(stack), nil
}

// SceneSettings are values for the settings that have none for everybody. Key is the operator's public key.
func SceneSettings(stack string, kind stacks.Kind, key string) map[string]any {
	settings := map[string]any{"alertEmails": []string{"ops@" + sceneZone}}
	switch kind {
	case stacks.KindAccount:
		settings["githubRepository"], settings["costTags"] = "example/calldata-foundation", true
	case stacks.KindStage, stacks.KindProd:
		settings["domain"], settings["hostedZone"] = stack+"."+sceneZone, sceneZone
		settings["carrierCidrs"], settings["sshPublicKey"], settings["businessHours"] = []string{carriers.String()}, key, "8-18"
	default:
		settings["adminCidrs"], settings["sshPublicKey"] = []string{operator.String() + "/32"}, key
	}
	if kind == stacks.KindStage {
		settings["copyRegion"] = copyRegion
	}
	if kind == stacks.KindProd {
		settings["pagerUrl"], settings["slackChannel"] = scenePager, sceneSlack
	}
	full := map[string]any{}
	for name, value := range settings {
		full[stacks.Project+":"+name] = value
	}
	return full
}

// SetScene makes in an account what a stack of kind finds there before its first deployment: the zone of its domain.
func SetScene(ctx context.Context, account aws.Config, kind stacks.Kind) error {
	if kind != stacks.KindStage && kind != stacks.KindProd {
		return nil
	}
	_, err := route53.NewFromConfig(account).CreateHostedZone(ctx, &route53.CreateHostedZoneInput{
		Name: aws.String(sceneZone), CallerReference: aws.String(fmt.Sprint(time.Now().UnixNano())),
	})
	if err != nil {
		return fmt.Errorf("make the hosted zone %s: %w", sceneZone, err)
	}
	return nil
}
