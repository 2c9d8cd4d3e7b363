package awsfront

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

const (
	tokenHeader = "X-Aws-Ec2-Metadata-Token"             //nolint:gosec // a header's name
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds" //nolint:gosec // as above
	// maxTTL is how long a token may hold. Source: Amazon EC2 User Guide, "Use the Instance Metadata Service".
	maxTTL = 21600
)

// metadata is the instance metadata service. It knows who asks by the address that the question comes from.
type metadata struct {
	account *account

	mu     sync.Mutex
	tokens map[string]token
}

// token belongs to one instance.
type token struct {
	address netip.Addr
	until   time.Time
}

func newMetadata(a *account) *metadata { return &metadata{account: a, tokens: map[string]token{}} }

// ServeHTTP answers one question.
func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		refuse(w, http.StatusNotFound)
		return
	}
	instance, err := m.account.at(r.Context(), caller.Addr().Unmap())
	if err != nil {
		fail(w, err)
		return
	}
	options := instance.MetadataOptions
	if options != nil && options.HttpEndpoint == types.InstanceMetadataEndpointStateDisabled {
		refuse(w, http.StatusForbidden)
		return
	}
	if r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" {
		m.makeToken(w, r, caller.Addr().Unmap())
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	given := r.Header.Get(tokenHeader)
	needed := options != nil && options.HttpTokens == types.HttpTokensStateRequired
	if left, ok := m.valid(given, caller.Addr().Unmap()); ok {
		w.Header().Set(ttlHeader, strconv.Itoa(left))
	} else if needed || given != "" {
		refuse(w, http.StatusUnauthorized)
		return
	}
	m.answer(w, r, instance)
}

// makeToken begins a session of version 2.
func (m *metadata) makeToken(w http.ResponseWriter, r *http.Request, address netip.Addr) {
	if r.Header.Get("X-Forwarded-For") != "" {
		// It came through a proxy, which this is against.
		refuse(w, http.StatusForbidden)
		return
	}
	ttl, err := strconv.Atoi(r.Header.Get(ttlHeader))
	if err != nil || ttl < 1 || ttl > maxTTL {
		refuse(w, http.StatusBadRequest)
		return
	}
	text := base64.URLEncoding.EncodeToString([]byte(rand.Text() + rand.Text()))
	m.mu.Lock()
	for known, t := range m.tokens {
		if time.Now().After(t.until) {
			delete(m.tokens, known)
		}
	}
	m.tokens[text] = token{address, time.Now().Add(time.Duration(ttl) * time.Second)}
	m.mu.Unlock()
	w.Header().Set(ttlHeader, strconv.Itoa(ttl))
	_, _ = io.WriteString(w, text) // the caller may have gone
}

// valid tells for how many seconds a token holds for an address.
func (m *metadata) valid(text string, address netip.Addr) (int, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[text]
	left := time.Until(t.until)
	return int(left.Seconds()), ok && t.address == address && left > 0
}

// answer finds what is asked for. A path that others lie under is a list of them.
func (m *metadata) answer(w http.ResponseWriter, r *http.Request, i instance) {
	// Versions are dates; all of them are the latest here.
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if version == "" {
		_, _ = io.WriteString(w, "latest") // the caller may have gone, here and below
		return
	}
	leaves, err := m.leaves(r.Context(), i, path)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	if text, ok := leaves[path]; ok {
		_, _ = io.WriteString(w, text)
		return
	}
	children := list(leaves, strings.TrimSuffix(path, "/"))
	if len(children) == 0 {
		refuse(w, http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, strings.Join(children, "\n"))
}

// list answers what lies directly under a path, directories with a slash, but not at the top: that is how EC2 does it.
func list(leaves map[string]string, path string) []string {
	mark := ""
	if path != "" {
		path += "/"
		mark = "/"
	}
	var children []string
	for leaf := range leaves {
		if rest, ok := strings.CutPrefix(leaf, path); ok && rest != "" {
			name, _, more := strings.Cut(rest, "/")
			if more {
				name += mark
			}
			children = append(children, name)
		}
	}
	slices.Sort(children)
	return slices.Compact(children)
}

// leaves is all that there is about an instance, by path. What other services know of it is asked for only when the
// question is about that.
func (m *metadata) leaves(ctx context.Context, i instance, path string) (map[string]string, error) {
	all := describe(i, m.account.region)
	const meta = "meta-data/"
	asked := func(under string) bool { return strings.HasPrefix(path, under) }
	set := func(leaf, text string, err error) error {
		if err == nil {
			all[leaf] = text
		} else if errors.Is(err, errUnknown) {
			err = nil
		}
		return err
	}
	if asked("user-data") {
		encoded, err := m.account.userData(ctx, i)
		text, decodeErr := base64.StdEncoding.DecodeString(encoded)
		if err := set("user-data", string(text), errors.Join(err, decodeErr)); err != nil {
			return nil, err
		}
	}
	if i.tag("aws:autoscaling:groupName") != "" {
		all[meta+"autoscaling/target-lifecycle-state"] = ""
		if asked(meta + "autoscaling/") {
			delete(all, meta+"autoscaling/target-lifecycle-state")
			state, err := m.account.lifecycle(ctx, i)
			if err := set(meta+"autoscaling/target-lifecycle-state", state, err); err != nil {
				return nil, err
			}
		}
	}
	if i.IamInstanceProfile != nil {
		all[meta+"iam/info"] = document(map[string]any{
			"Code": "Success", "LastUpdated": i.LaunchTime, "InstanceProfileArn": i.IamInstanceProfile.Arn, "InstanceProfileId": i.IamInstanceProfile.Id,
		})
		if asked(meta + "iam/") {
			name, arn, err := m.account.role(ctx, i)
			if err != nil {
				return all, set("", "", err)
			}
			leaf := meta + "iam/security-credentials/" + name
			all[leaf] = ""
			if path == leaf {
				made, err := m.account.assume(ctx, i, arn)
				if err := set(leaf, document(made), err); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// describe is what EC2 itself tells about an instance.
// Source: Amazon EC2 User Guide, "Instance metadata categories".
func describe(i instance, region string) map[string]string {
	all, zone := map[string]string{}, ""
	set := func(leaf string, value *string) {
		if aws.ToString(value) != "" {
			all["meta-data/"+leaf] = aws.ToString(value)
		}
	}
	if i.Placement != nil {
		zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	private := aws.ToString(i.PrivateIpAddress)
	host := hostName(private, region)
	var groups []string
	for _, g := range i.SecurityGroups {
		groups = append(groups, aws.ToString(g.GroupName))
	}
	for leaf, value := range map[string]string{
		"ami-id": aws.ToString(i.ImageId), "ami-launch-index": strconv.Itoa(int(aws.ToInt32(i.AmiLaunchIndex))), "hostname": host, "local-hostname": host,
		"instance-action": "none", "instance-id": aws.ToString(i.InstanceId), "instance-life-cycle": "on-demand", "instance-type": string(i.InstanceType),
		"local-ipv4": private, "placement/availability-zone": zone, "placement/region": region, "profile": "default-hvm", "reservation-id": i.reservation,
		"security-groups": strings.Join(groups, "\n"), "services/domain": "amazonaws.com", "services/partition": "aws", "system": "nitro",
	} {
		set(leaf, &value)
	}
	set("public-ipv4", i.PublicIpAddress)
	if i.KeyName != nil {
		set("public-keys/0", aws.String("0="+aws.ToString(i.KeyName)))
	}
	for _, n := range i.NetworkInterfaces {
		set("mac", n.MacAddress)
		under := "network/interfaces/macs/" + aws.ToString(n.MacAddress) + "/"
		set(under+"device-number", aws.String("0"))
		set(under+"interface-id", n.NetworkInterfaceId)
		set(under+"mac", n.MacAddress)
		set(under+"owner-id", aws.String(i.owner))
		set(under+"local-ipv4s", n.PrivateIpAddress)
		set(under+"public-ipv4s", i.PublicIpAddress)
		set(under+"subnet-id", n.SubnetId)
		set(under+"vpc-id", n.VpcId)
	}
	if i.MetadataOptions != nil && i.MetadataOptions.InstanceMetadataTags == types.InstanceMetadataTagsStateEnabled {
		for _, t := range i.Tags {
			all["meta-data/tags/instance/"+aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	all["dynamic/instance-identity/document"] = document(map[string]any{
		"accountId": i.owner, "architecture": i.Architecture, "availabilityZone": zone, "billingProducts": nil, "devpayProductCodes": nil,
		"marketplaceProductCodes": nil, "imageId": i.ImageId, "instanceId": i.InstanceId, "instanceType": i.InstanceType, "kernelId": nil,
		"pendingTime": i.LaunchTime, "privateIp": private, "ramdiskId": nil, "region": region, "version": "2017-09-30",
	})
	return all
}

// hostName is what EC2 calls an address.
// Source: Amazon EC2 User Guide, "EC2 instance hostnames and domains".
func hostName(address, region string) string {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return fmt.Sprintf("ip-%s.%s", strings.ReplaceAll(address, ".", "-"), domain)
}

func document(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error() // it holds nothing that could not be written
	}
	return string(text)
}

func refuse(w http.ResponseWriter, status int) {
	http.Error(w, fmt.Sprintf("%d - %s", status, http.StatusText(status)), status)
}

func fail(w http.ResponseWriter, err error) {
	if errors.Is(err, errUnknown) {
		refuse(w, http.StatusNotFound)
		return
	}
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
