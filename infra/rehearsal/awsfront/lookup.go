package awsfront

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/net/dns/dnsmessage"
)

const (
	// awsTTL is for names of AWS's own, in seconds: short, for targets of load balancers come and go.
	// Source: Elastic Load Balancing User Guide, "Request routing": 60 s.
	awsTTL = 60
	// maxAliases is how many names may lead to each other before an answer.
	maxAliases = 8
)

// resolve answers a question with records, each found or led to by the one before.
func (n *names) resolve(ctx context.Context, asked dnsmessage.Question) ([]dnsmessage.Resource, dnsmessage.RCode) {
	name, records := canonical(asked.Name.String()), []dnsmessage.Resource(nil)
	for range maxAliases {
		found, err := n.lookup(ctx, name, asked.Type)
		switch {
		case errors.Is(err, errUnknown) && len(records) > 0:
			return records, dnsmessage.RCodeSuccess
		case errors.Is(err, errUnknown):
			return nil, dnsmessage.RCodeNameError
		case err != nil:
			return nil, dnsmessage.RCodeServerFailure
		}
		records = append(records, found...)
		next := ""
		for _, r := range found {
			if alias, ok := r.Body.(*dnsmessage.CNAMEResource); ok && asked.Type != dnsmessage.TypeCNAME {
				next = canonical(alias.CNAME.String())
			}
		}
		if next == "" {
			return records, dnsmessage.RCodeSuccess
		}
		name = next
	}
	return nil, dnsmessage.RCodeServerFailure
}

// lookup answers the records of one name. It answers errUnknown for a name that does not exist, and nothing for a name
// that has no record of that type.
func (n *names) lookup(ctx context.Context, name string, kind dnsmessage.Type) ([]dnsmessage.Resource, error) {
	if addresses, ok := n.host(name); ok {
		return hosts(name, kind, awsTTL, addresses), nil
	}
	plain := strings.TrimSuffix(name, ".")
	if strings.HasSuffix(plain, ".in-addr.arpa") {
		return reverse(name, kind, n.account.region)
	}
	if address, ok := addressIn(plain); ok {
		return hosts(name, kind, awsTTL, []netip.Addr{n.inside(ctx, address)}), nil
	}
	if isAWS(plain) {
		addresses, err := n.service(ctx, plain)
		return hosts(name, kind, awsTTL, addresses), err
	}
	return n.zones.lookup(ctx, n.account, name, kind)
}

// service answers the addresses behind a name of AWS's.
func (n *names) service(ctx context.Context, name string) ([]netip.Addr, error) {
	switch {
	case strings.HasSuffix(name, ".elb.amazonaws.com"):
		return n.account.targets(ctx, strings.TrimPrefix(name, "dualstack."))
	case strings.HasSuffix(name, ".rds.amazonaws.com"):
		return nil, errUnknown // SetHost tells which machine plays it
	}
	return []netip.Addr{serviceAddress}, nil
}

// addressIn reads the address in a host name of EC2's: ip-10-20-0-4.ec2.internal, ec2-203-0-113-10.compute-1.amazonaws.com.
func addressIn(name string) (netip.Addr, bool) {
	label, domain, _ := strings.Cut(name, ".")
	ours := domain == "ec2.internal" || strings.HasSuffix(domain, ".compute.internal") ||
		domain == "compute-1.amazonaws.com" || strings.HasSuffix(domain, ".compute.amazonaws.com")
	kind, dashed, _ := strings.Cut(label, "-")
	if !ours || kind != "ip" && kind != "ec2" {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(strings.ReplaceAll(dashed, "-", "."))
	return address, err == nil
}

// inside is the private address of an instance that has a public one: what its name means within the VPC.
// Source: Amazon VPC User Guide, "DNS attributes for your VPC".
func (n *names) inside(ctx context.Context, address netip.Addr) netip.Addr {
	if address.IsPrivate() {
		return address
	}
	found, err := n.account.instances(ctx, types.Filter{Name: aws.String("ip-address"), Values: []string{address.String()}})
	if err != nil || len(found) == 0 {
		return address
	}
	if private, err := netip.ParseAddr(aws.ToString(found[0].PrivateIpAddress)); err == nil {
		return private
	}
	return address
}

// hosts are address records.
func hosts(name string, kind dnsmessage.Type, ttl uint32, addresses []netip.Addr) []dnsmessage.Resource {
	var records []dnsmessage.Resource
	for _, a := range addresses {
		switch {
		case a.Is4() && kind == dnsmessage.TypeA:
			records = append(records, record(name, kind, ttl, &dnsmessage.AResource{A: a.As4()}))
		case a.Is6() && kind == dnsmessage.TypeAAAA:
			records = append(records, record(name, kind, ttl, &dnsmessage.AAAAResource{AAAA: a.As16()}))
		}
	}
	return records
}

// reverse names a private address as EC2 does.
func reverse(name string, kind dnsmessage.Type, region string) ([]dnsmessage.Resource, error) {
	labels := strings.Split(strings.TrimSuffix(name, ".in-addr.arpa."), ".")
	if len(labels) != 4 {
		return nil, errUnknown
	}
	address, err := netip.ParseAddr(strings.Join([]string{labels[3], labels[2], labels[1], labels[0]}, "."))
	if err != nil || !address.IsPrivate() {
		return nil, errUnknown
	}
	if kind != dnsmessage.TypePTR {
		return nil, nil
	}
	to, err := dnsmessage.NewName(hostName(address.String(), region) + ".")
	return []dnsmessage.Resource{record(name, kind, awsTTL, &dnsmessage.PTRResource{PTR: to})}, err
}

func record(name string, kind dnsmessage.Type, ttl uint32, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET, TTL: ttl}, Body: body,
	}
}

// number reads a number of a record.
func number(text string) uint16 {
	n, _ := strconv.ParseUint(text, 10, 16)
	return uint16(n)
}
