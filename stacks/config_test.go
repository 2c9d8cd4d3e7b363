package stacks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"
)

// testKey is the public half of a key that was thrown away.
const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB"

func setting(name string) string { return Project + ":" + name }

// settings are the least that works, changed by pairs of name and value; the value "-" unsets.
func settings(pairs ...string) MapSettings {
	m := MapSettings{
		"aws:region":            "us-east-1",
		setting("adminCidrs"):   `["203.0.113.7/32"]`,
		setting("sshPublicKey"): testKey + " ops@example.com",
	}
	for i := 0; i < len(pairs); i += 2 {
		key := fullKey(pairs[i])
		if m[key] = pairs[i+1]; pairs[i+1] == "-" {
			delete(m, key)
		}
	}
	return m
}

func TestReadConfigDefaults(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("dev", settings())
	require.NoError(t, err)
	world := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	small := InstanceType{Name: "t3.small", VCPU: 2, MemoryGiB: 2}
	assert.Equal(t, Config{
		Topology: KindDev, Region: "us-east-1", Owner: "platform", CostCenter: "telephony",
		Network: NetworkConfig{CIDR: netip.MustParsePrefix("10.20.0.0/16"), Zones: []string{"us-east-1a"}, Nat: NatNone},
		Access: AccessConfig{
			AdminCIDRs: []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}, SIPCIDRs: world, Registrations: true, MediaCIDRs: world, WebCIDRs: world,
			CarrierCIDRs: []netip.Prefix{}, SSHPublicKey: testKey,
		},
		Machines:  MachinesConfig{InstanceType: InstanceType{"t3.xlarge", 4, 16}, RootVolumeGiB: 50, DetailedMonitoring: true},
		Fleets:    FleetsConfig{SBCInstanceType: small, RouterInstanceType: small, SBCs: FleetSize{2, 6, 400}, Routers: FleetSize{2, 6, 2000}, CPUTarget: 50, DrainTimeout: time.Hour, Standings: map[Colour]Standing{Blue: StandingLive, Green: StandingNone}},
		Database:  DatabaseConfig{Version: 15},
		Web:       WebConfig{BlueWeight: 100},
		Account:   AccountConfig{Environments: []Environment{{Name: "dev", BudgetUSD: 100}, {Name: "stage", BudgetUSD: 300}, {Name: "prod", BudgetUSD: 1000}}, AnomalyUSD: 20},
		Retention: RetentionConfig{LogDays: 14, BackupDays: 7}, Watch: WatchConfig{Level: "few"}, Provisioner: ProvisionerConfig{Enabled: true, Timeout: 45 * time.Minute},
	}, c)
}

// needed are the settings without a value that suits everybody, for each topology.
var needed = map[Kind][]string{
	KindDev:     nil,
	KindStage:   {"domain", "stage.voice.example.com"},
	KindProd:    {"domain", "voice.example.com", "carrierCidrs", `["198.51.100.0/24"]`},
	KindAccount: {"githubRepository", "example/calldata-foundation", "alertEmails", `["ops@example.com"]`},
}

// of are the least settings that work for a stack called like its topology, changed by pairs.
func of(kind Kind, pairs ...string) MapSettings {
	return settings(append(append([]string{"topology", string(kind)}, needed[kind]...), pairs...)...)
}

func TestReadConfigDefaultsByTopology(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("stage", of(KindStage))
	require.NoError(t, err)
	assert.Equal(t, NetworkConfig{CIDR: netip.MustParsePrefix("10.20.0.0/16"), Zones: []string{"us-east-1a", "us-east-1b"}, Nat: NatSingle}, c.Network)
	assert.Equal(t, []Edge{EdgePhones}, c.Access.Edges)
	assert.Equal(t, "t3.medium", c.Fleets.SBCInstanceType.Name)
	assert.Equal(t, DatabaseConfig{Version: 15, Class: "db.t4g.small", GiB: 20, MaxGiB: 100}, c.Database)
	assert.Equal(t, RetentionConfig{LogDays: 90, BackupDays: 14}, c.Retention)
	assert.Equal(t, "stage.voice.example.com", c.Web.HostedZone)
	assert.False(t, c.Protect)

	c, err = ReadConfig("prod", of(KindProd, "databaseMultiAz", "false", "hostedZone", "example.com", "copyRegion", "eu-central-1",
		"databaseSnapshot", "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1"))
	require.NoError(t, err)
	begun, err := New("prod", c)
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1", begun.Database.Snapshot)
	assert.Equal(t, RetentionConfig{LogDays: 365, BackupDays: 35, LockBackups: true, CopyRegion: "eu-central-1"}, c.Retention)
	assert.Len(t, c.Network.Zones, 3)
	assert.Equal(t, NatOnePerAz, c.Network.Nat)
	assert.Equal(t, []Edge{EdgeCarriers, EdgePhones}, c.Access.Edges)
	assert.True(t, c.Protect)
	assert.True(t, c.Web.WAF)
	assert.False(t, c.Database.MultiAZ, "a setting is stronger than the topology")
	assert.Equal(t, "example.com", c.Web.HostedZone)

	c, err = ReadConfig("account", of(KindAccount, "adminCidrs", "-", "sshPublicKey", "-", "accountPartsOff", `["guardduty"]`, "environments", `["dev=50"]`))
	require.NoError(t, err, "an account has no machines, and needs neither operators' ranges nor a key")
	assert.Equal(t, AccountConfig{
		Repository: "example/calldata-foundation", Environments: []Environment{{Name: "dev", BudgetUSD: 50}}, AlertEmails: []string{"ops@example.com"}, AnomalyUSD: 20,
		Off: []AccountPart{PartGuardDuty},
	}, c.Account)
}

// An account that is in use has some of the baseline already, and rules of its own.
func TestReadConfigOfAnAccountInUse(t *testing.T) {
	t.Parallel()
	const monitor = "arn:aws:ce::123456789012:anomalymonitor/11111111-2222-3333-4444-555555555555"
	c, err := ReadConfig("account", of(KindAccount, "githubOwnerId", "12", "githubRepositoryId", "345678901234", "githubProviderExists", "true",
		"environments", `["dev=50","prod=900"]`, "environmentDomains", `["prod=voice.example.com","dev=dev.example.com","prod=example.org"]`,
		"otherRegions", `["eu-central-1","ap-southeast-2"]`, "stateBucket", "our-state", "secretsKeyAlias", "alias/our/secrets", "anomalyMonitorArn", monitor,
		"anomalyUsd", "75", "costTags", "true", "auditRetentionDays", "2555", "trailLockDays", "2555"))
	require.NoError(t, err)
	assert.Equal(t, AccountConfig{
		Repository: "example/calldata-foundation", OwnerID: 12, RepositoryID: 345678901234, ProviderExists: true,
		Environments: []Environment{
			{Name: "dev", BudgetUSD: 50, Domains: []string{"dev.example.com"}}, {Name: "prod", BudgetUSD: 900, Domains: []string{"voice.example.com", "example.org"}},
		},
		OtherRegions: []string{"eu-central-1", "ap-southeast-2"}, StateBucket: "our-state", SecretsKeyAlias: "alias/our/secrets", AlertEmails: []string{"ops@example.com"},
		AnomalyMonitorARN: monitor, AnomalyUSD: 75, CostTags: true, AuditDays: 2555, TrailLockDays: 2555,
	}, c.Account)

	c, err = ReadConfig("account", of(KindAccount, "trailLockDays", "365"))
	require.NoError(t, err, "what is kept for ever can be locked for any time")
	assert.Equal(t, 365, c.Account.TrailLockDays)
}

func TestReadConfigEverythingSet(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("alice", settings("aws:region", "eu-central-1", "topology", "dev", "vpcCidr", "172.20.0.0/20", "zones", `["eu-central-1b","eu-central-1c"]`,
		"adminCidrs", `["203.0.113.0/24","198.51.100.7/32"]`, "sipCidrs", `["198.51.100.0/24"]`, "instanceType", "m7i.large", "rootVolumeGiB", "80",
		"amiId", "ami-0123456789abcdef0", "logRetentionDays", "90", "owner", "voice@example.com", "costCenter", "42", "protect", "true",
		"configure", "false", "configureTimeoutMinutes", "90"))
	require.NoError(t, err)
	assert.Equal(t, []string{"eu-central-1b", "eu-central-1c"}, c.Network.Zones)
	assert.Equal(t, InstanceType{"m7i.large", 2, 8}, c.Machines.InstanceType)
	assert.Equal(t, "ami-0123456789abcdef0", c.Machines.AMIID)
	assert.Equal(t, 90*time.Minute, c.Provisioner.Timeout)
	assert.True(t, c.Protect)
	assert.False(t, c.Provisioner.Enabled)
	assert.Len(t, c.Access.AdminCIDRs, 2)
}

func TestReadConfigErrors(t *testing.T) {
	t.Parallel()
	const setAdmin = "fix it with: pulumi config set --path 'calldata-foundation:adminCidrs[0]' 203.0.113.7/32 -s dev"
	tests := map[string]struct {
		settings MapSettings
		want     []string
	}{
		"no region":                {settings("aws:region", "-"), []string{"aws:region is not set", "fix it with: pulumi config set aws:region us-east-1 -s dev"}},
		"region misspelt":          {settings("aws:region", "useast1"), []string{`aws:region is "useast1": want an AWS region`}},
		"region of China":          {settings("aws:region", "cn-north-1"), []string{`aws:region is "cn-north-1": Debian's images`}},
		"no admin ranges":          {settings("adminCidrs", "-"), []string{"calldata-foundation:adminCidrs is not set: at least one range is needed; " + setAdmin}},
		"empty admin ranges":       {settings("adminCidrs", "[]"), []string{"calldata-foundation:adminCidrs is not set", setAdmin}},
		"admin is the internet":    {settings("adminCidrs", `["0.0.0.0/0"]`), []string{`calldata-foundation:adminCidrs[0] is "0.0.0.0/0": that is the whole internet`, setAdmin}},
		"admin is the IPv6 one":    {settings("adminCidrs", `["::/0"]`), []string{`adminCidrs[0] is "::/0": that is the whole internet`}},
		"admin too wide":           {settings("adminCidrs", `["128.0.0.0/1"]`), []string{`adminCidrs[0] is "128.0.0.0/1": that is wider than /8`}},
		"admin not a range":        {settings("adminCidrs", `["office"]`), []string{`adminCidrs[0] is "office": that is not an IP range`}},
		"admin without size":       {settings("adminCidrs", `["203.0.113.7"]`), []string{"that is an address without a size, write 203.0.113.7/32"}},
		"admin with host bits":     {settings("adminCidrs", `["203.0.113.7/24"]`), []string{"that has host bits set, write 203.0.113.0/24, or 203.0.113.7/32 for that one address"}},
		"admin is IPv6":            {settings("adminCidrs", `["2001:db8::/48"]`), []string{"that is IPv6, and the network has IPv4 only"}},
		"admin twice":              {settings("adminCidrs", `["203.0.113.7/32","203.0.113.7/32"]`), []string{`adminCidrs[1] is "203.0.113.7/32": an earlier item is the same`, "'calldata-foundation:adminCidrs[1]'"}},
		"admin not a list":         {settings("adminCidrs", "203.0.113.7/32"), []string{`adminCidrs is "203.0.113.7/32": want a list`, "pulumi config rm calldata-foundation:adminCidrs -s dev && pulumi config set --path"}},
		"SIP range malformed":      {settings("sipCidrs", `["198.51.100.0/33"]`), []string{`sipCidrs[0] is "198.51.100.0/33"`}},
		"SIP from all of IPv6":     {settings("sipCidrs", `["::/0"]`), []string{`sipCidrs[0] is "::/0": that is IPv6`}},
		"VPC malformed":            {settings("vpcCidr", "ten"), []string{`vpcCidr is "ten": that is not an IP range`, "pulumi config set calldata-foundation:vpcCidr 10.20.0.0/16 -s dev"}},
		"VPC too wide":             {settings("vpcCidr", "10.0.0.0/8"), []string{"10.0.0.0/8 has the size /8, AWS allows /16 to /28"}},
		"VPC public":               {settings("vpcCidr", "203.0.113.0/24"), []string{"203.0.113.0/24 is not private"}},
		"VPC with host bits":       {settings("vpcCidr", "10.20.0.1/16"), []string{"the network is 10.20.0.0/16"}},
		"VPC too small for zones":  {settings("vpcCidr", "10.20.0.0/28", "zones", `["us-east-1a","us-east-1b"]`), []string{`vpcCidr is "10.20.0.0/28": 10.20.0.0/28 has room for 1 subnets of size /28, not for 2`}},
		"zone elsewhere":           {settings("zones", `["us-east-1a","eu-west-1a"]`), []string{`zones[1] is "eu-west-1a": that is not an availability zone of us-east-1`, "'calldata-foundation:zones[1]' us-east-1a -s dev"}},
		"local zone":               {settings("zones", `["us-east-1-bos-1a"]`), []string{`zones[0] is "us-east-1-bos-1a": that is not an availability zone`}},
		"zone twice":               {settings("zones", `["us-east-1a","us-east-1a"]`), []string{"an earlier item is the same"}},
		"type unknown":             {settings("instanceType", "t3.xlrge"), []string{`instanceType is "t3.xlrge": this program does not know that type; near ones are t3.medium, t3.large, t3.xlarge, t3.2xlarge`}},
		"family unknown":           {settings("instanceType", "m9z.large"), []string{"near ones are m5.large, m5a.large"}},
		"type nonsense":            {settings("instanceType", "big"), []string{"near ones are t3.large, t3.xlarge, t3.2xlarge"}},
		"type arm64":               {settings("instanceType", "t4g.xlarge"), []string{`instanceType is "t4g.xlarge": that is an arm64 type, and Wazo's packages run on amd64 alone; near ones are t3.xlarge, t3a.xlarge`}},
		"type too small":           {settings("instanceType", "t3.small"), []string{"it has 2 GiB of memory, such a machine needs 4"}},
		"volume too small":         {settings("rootVolumeGiB", "8"), []string{`rootVolumeGiB is "8": want a whole number from 20 to 16384`, "pulumi config set calldata-foundation:rootVolumeGiB 50 -s dev"}},
		"volume not a number":      {settings("rootVolumeGiB", "50GB"), []string{`rootVolumeGiB is "50GB": want a whole number`}},
		"image malformed":          {settings("amiId", "debian-12"), []string{`amiId is "debian-12": want ami-`, "pulumi config rm calldata-foundation:amiId -s dev"}},
		"no key":                   {settings("sshPublicKey", ""), []string{"calldata-foundation:sshPublicKey is not set", `fix it with: pulumi config set calldata-foundation:sshPublicKey "$(cat ~/.ssh/id_ed25519.pub)" -s dev`}},
		"key of ECDSA":             {settings("sshPublicKey", ecdsaKey(t)), []string{"is of the type ecdsa-sha2-nistp256, but EC2 imports only ssh-ed25519 and ssh-rsa"}},
		"key of RSA too short":     {settings("sshPublicKey", rsaKey(t, 2048)), []string{"is an RSA key of 2048 bits, want 3072 or more"}},
		"key with options":         {settings("sshPublicKey", "no-pty "+testKey), []string{"begins with authorized_keys options"}},
		"two keys":                 {settings("sshPublicKey", testKey+"\n"+testKey), []string{"has more than one line"}},
		"retention not of AWS":     {settings("logRetentionDays", "10"), []string{`logRetentionDays is "10": want one of [1 3 5 7 14`}},
		"owner empties a tag":      {settings("owner", "a<b>"), []string{`owner is "a<b>": "a<b>" has a character that AWS refuses`}},
		"cost center too long":     {settings("costCenter", strings.Repeat("x", 257)), []string{"the value has 257 characters, AWS allows 256"}},
		"flag not a flag":          {settings("configure", "yes"), []string{`configure is "yes": want true or false`}},
		"protect not a flag":       {settings("protect", "1"), []string{`protect is "1": want true, false, or nothing for the topology's own, which is false`}},
		"time limit too long":      {settings("configureTimeoutMinutes", "1000"), []string{`configureTimeoutMinutes is "1000": want a whole number from 5 to 240, or 0 for the topology's own, which is 45`}},
		"topology unknown":         {settings("topology", "huge"), []string{`topology is "huge": this project knows account, dev, prod, stage`}},
		"setting unknown":          {settings("adminCidr", "x"), []string{"calldata-foundation:adminCidr is not a setting of this project, which has accountPartsOff, adminCidrs, alarms, alertEmails, amiId", "pulumi config rm calldata-foundation:adminCidr -s dev"}},
		"zones too many":           {settings("zones", `["us-east-1a","us-east-1b","us-east-1c","us-east-1d"]`), []string{"a network has at most 3 zones"}},
		"one zone for two":         {of(KindStage, "zones", `["us-east-1a"]`), []string{`zones is "us-east-1a": this topology needs at least 2 zones`, "'calldata-foundation:zones[1]' us-east-1b"}},
		"network too small":        {of(KindProd, "vpcCidr", "10.20.0.0/26"), []string{`vpcCidr is "10.20.0.0/26": `}},
		"NAT unknown":              {of(KindStage, "nat", "many"), []string{`nat is "many": want one of [none single one-per-az]`}},
		"NAT missing":              {of(KindProd, "nat", "none"), []string{`nat is "none": the machines of this topology are private`}},
		"NAT address malformed":    {of(KindStage, "natAllocationIds", `["203.0.113.9"]`), []string{`natAllocationIds[0] is "203.0.113.9": want the allocation id of an Elastic IP`}},
		"NAT addresses too few":    {of(KindProd, "natAllocationIds", `["eipalloc-0123456789abcdef0"]`), []string{"nat one-per-az over 3 zones has 3 gateways"}},
		"SSM not a choice":         {of(KindProd, "ssmEndpoints", "maybe"), []string{`ssmEndpoints is "maybe": want true, false, or nothing for the topology's own, which is true`}},
		"no carriers":              {of(KindProd, "carrierCidrs", "-"), []string{"carrierCidrs is not set: at least one range is needed"}},
		"carriers anywhere":        {of(KindProd, "carrierCidrs", `["0.0.0.0/0"]`), []string{"a carrier's address is its password here"}},
		"carriers too wide":        {of(KindProd, "carrierCidrs", `["96.0.0.0/4"]`), []string{"that is wider than /8"}},
		"media malformed":          {of(KindProd, "mediaCidrs", `["x"]`), []string{`mediaCidrs[0] is "x"`}},
		"web malformed":            {of(KindProd, "webCidrs", `["x"]`), []string{`webCidrs[0] is "x"`}},
		"edge unknown":             {of(KindProd, "sipEdges", `["carriers","fax"]`), []string{`sipEdges[1] is "fax": want carriers or phones`}},
		"edge twice":               {of(KindStage, "sipEdges", `["phones","phones"]`), []string{`sipEdges[1] is "phones": an earlier item is the same`}},
		"SBC type too small":       {of(KindStage, "sbcInstanceType", "t3.micro"), []string{`sbcInstanceType is "t3.micro": it has 1 GiB of memory, such a machine needs 2`}},
		"router type unknown":      {of(KindStage, "routerInstanceType", "huge"), []string{`routerInstanceType is "huge"`}},
		"data volume too small":    {of(KindStage, "dataVolumeGiB", "5"), []string{`dataVolumeGiB is "5": want a whole number from 20 to 16384, or 0`}},
		"fleet of one":             {of(KindProd, "sbcMin", "1"), []string{`sbcMin is "1": want a whole number from 2 to 20`}},
		"fleet upside down":        {of(KindProd, "routerMin", "8"), []string{`routerMin is "8": it is more than routerMax, which is 6`}},
		"fleet too large":          {of(KindProd, "sbcMax", "100"), []string{`sbcMax is "100": want a whole number from 2 to 20`}},
		"no calls":                 {of(KindProd, "sbcCalls", "0"), []string{`sbcCalls is "0"`}},
		"CPU target":               {of(KindProd, "cpuTarget", "95"), []string{`cpuTarget is "95": want a whole number from 10 to 90`}},
		"drain without end":        {of(KindProd, "drainTimeoutMinutes", "10000"), []string{`drainTimeoutMinutes is "10000": want a whole number from 1 to 2880`}},
		"PostgreSQL too old":       {of(KindProd, "databaseVersion", "14"), []string{`databaseVersion is "14": want 15: the Routers' Debian`}},
		"PostgreSQL too new":       {of(KindProd, "databaseVersion", "16"), []string{`databaseVersion is "16": want 15: the Routers' Debian`}},
		"database class":           {of(KindProd, "databaseClass", "t3.small"), []string{`databaseClass is "t3.small": want an RDS instance class`}},
		"database shrinks":         {of(KindProd, "databaseGiB", "200", "databaseMaxGiB", "100"), []string{`databaseMaxGiB is "100": it is less than databaseGiB, which is 200`}},
		"database too small":       {of(KindProd, "databaseGiB", "10"), []string{`databaseGiB is "10": want a whole number from 20`}},
		"no domain":                {of(KindStage, "domain", "-"), []string{"domain is not set: people and phones need a name"}},
		"domain malformed":         {of(KindStage, "domain", "Voice"), []string{`domain is "Voice": want a domain name`}},
		"zone of another domain":   {of(KindStage, "hostedZone", "example.net"), []string{`hostedZone is "example.net": the domain stage.voice.example.com is not in it`}},
		"certificate malformed":    {of(KindStage, "certificateArn", "mine"), []string{`certificateArn is "mine": want the ARN`}},
		"nobody serves":            {of(KindStage, "blueWeight", "0"), []string{`blueWeight is "0": greenWeight is 0 too`}},
		"weight too large":         {of(KindStage, "greenWeight", "1000"), []string{`greenWeight is "1000": want a whole number from 0 to 999`}},
		"backups for ever":         {of(KindProd, "backupRetentionDays", "90"), []string{`backupRetentionDays is "90": want a whole number from 1 to 35`}},
		"no repository":            {of(KindAccount, "githubRepository", "-"), []string{"githubRepository is not set: want the repository"}},
		"repository malformed":     {of(KindAccount, "githubRepository", "https://github.com/a/b"), []string{`githubRepository is "https://github.com/a/b"`}},
		"nobody hears":             {of(KindAccount, "alertEmails", "-"), []string{"alertEmails is not set: budgets and cost anomalies need somebody"}},
		"address malformed":        {of(KindAccount, "alertEmails", `["ops"]`), []string{`alertEmails[0] is "ops": that is not an e-mail address`}},
		"address twice":            {of(KindStage, "alertEmails", `["a@example.com","a@example.com"]`), []string{`alertEmails[1] is "a@example.com": it is there twice`, "pulumi config rm --path"}},
		"environment malformed":    {of(KindAccount, "environments", `["dev"]`), []string{`environments[0] is "dev": want a stack's name and its monthly budget`}},
		"environment twice":        {of(KindAccount, "environments", `["dev=1","dev=2"]`), []string{`environments[1] is "dev=2": an earlier item is of the same stack`}},
		"part unknown":             {of(KindAccount, "accountPartsOff", `["trail"]`), []string{`accountPartsOff[0] is "trail": want one of [github cloudtrail`}},
		"bucket malformed":         {of(KindAccount, "stateBucket", "My_Bucket"), []string{`stateBucket is "My_Bucket": want the name of a bucket`}},
		"alias malformed":          {of(KindAccount, "secretsKeyAlias", "secrets"), []string{`secretsKeyAlias is "secrets": want a key's alias`, "alias/example-secrets -s dev"}},
		"owner's id not a number":  {of(KindAccount, "githubOwnerId", "example"), []string{`githubOwnerId is "example": want the number`, `"$(gh api repos/OWNER/NAME --jq .owner.id)" -s dev`}},
		"owner's id alone":         {of(KindAccount, "githubOwnerId", "12"), []string{"githubRepositoryId is not set: GitHub's tokens have the numbers", `"$(gh api repos/OWNER/NAME --jq .id)" -s dev`}},
		"repository's id alone":    {of(KindAccount, "githubRepositoryId", "345"), []string{"githubOwnerId is not set: GitHub's tokens have the numbers"}},
		"repository's id negative": {of(KindAccount, "githubOwnerId", "12", "githubRepositoryId", "-1"), []string{`githubRepositoryId is "-1": want the number`}},
		"provider not a flag":      {of(KindAccount, "githubProviderExists", "arn:aws:iam::123456789012:oidc-provider/x"), []string{"want true or false"}},
		"monitor malformed":        {of(KindAccount, "anomalyMonitorArn", "Default-Services-Monitor"), []string{`anomalyMonitorArn is "Default-Services-Monitor": want the ARN of a monitor`}},
		"anomaly of nothing":       {of(KindAccount, "anomalyUsd", "0"), []string{`anomalyUsd is "0": want a whole number from 1 to 1000000`, "anomalyUsd 20 -s dev"}},
		"cost tags not a flag":     {of(KindAccount, "costTags", "on"), []string{`costTags is "on": want true or false`}},
		"cost tags twice":          {of(KindAccount, "accountPartsOff", `["cost-tags"]`), []string{`accountPartsOff[0] is "cost-tags": want one of [github`}},
		"records for 200 years":    {of(KindAccount, "auditRetentionDays", "73000"), []string{`auditRetentionDays is "73000": want a whole number from 0 to 36500`}},
		"lock outlives records":    {of(KindAccount, "auditRetentionDays", "365", "trailLockDays", "366"), []string{`trailLockDays is "366": records are kept for 365 days only`, "trailLockDays 365 -s dev"}},
		"other region misspelt":    {of(KindAccount, "otherRegions", `["frankfurt"]`), []string{`otherRegions[0] is "frankfurt": want an AWS region`}},
		"other region of China":    {of(KindAccount, "otherRegions", `["cn-north-1"]`), []string{`otherRegions[0] is "cn-north-1": credentials of one partition`}},
		"other region is its own":  {of(KindAccount, "otherRegions", `["us-east-1"]`), []string{`otherRegions[0] is "us-east-1": that is the stack's own region`, "config rm --path"}},
		"copies misspelt":          {of(KindProd, "copyRegion", "frankfurt"), []string{`copyRegion is "frankfurt": want an AWS region; fix it with: pulumi config set calldata-foundation:copyRegion us-west-2 -s dev`}},
		"copies in China":          {of(KindStage, "copyRegion", "cn-north-1"), []string{`copyRegion is "cn-north-1": credentials of one partition`}},
		"copies beside originals":  {of(KindProd, "copyRegion", "us-east-1"), []string{`copyRegion is "us-east-1": that is the stack's own region`}},
		"copies of nothing":        {of(KindDev, "copyRegion", "us-west-2"), []string{`copyRegion is "us-west-2": a stack of the topology dev copies no backups`, "pulumi config rm calldata-foundation:copyRegion -s dev"}},
		"snapshot malformed":       {of(KindProd, "databaseSnapshot", "prod router"), []string{`databaseSnapshot is "prod router": want the identifier or the ARN`, "pulumi config rm calldata-foundation:databaseSnapshot -s dev"}},
		"snapshot elsewhere":       {of(KindStage, "databaseSnapshot", "arn:aws:rds:us-west-2:123456789012:snapshot:a"), []string{"it is in us-west-2, and RDS restores in a snapshot's own region, while the stack is in us-east-1"}},
		"snapshot for no database": {of(KindDev, "databaseSnapshot", "a"), []string{`databaseSnapshot is "a": a stack of the topology dev has no database of RDS`}},
		"copies of an account":     {of(KindAccount, "copyRegion", "us-west-2"), []string{"a stack of the topology account copies no backups"}},
		"other region twice":       {of(KindAccount, "otherRegions", `["eu-west-1","eu-west-1"]`), []string{`otherRegions[1] is "eu-west-1": an earlier item is the same`}},
		"domain of no stack":       {of(KindAccount, "environmentDomains", `["test=example.com"]`), []string{`environmentDomains[0] is "test=example.com": environments has no such stack`}},
		"domain without a stack":   {of(KindAccount, "environmentDomains", `["example.com"]`), []string{`environmentDomains[0] is "example.com": want a stack's name and a domain`}},
		"domain with a star":       {of(KindAccount, "environmentDomains", `["dev=*.example.com"]`), []string{"want a stack's name and a domain"}},
		"domain twice":             {of(KindAccount, "environmentDomains", `["dev=example.com","dev=example.com"]`), []string{`environmentDomains[1] is "dev=example.com": an earlier item is the same`}},
		"boundary malformed":       {settings("workloadBoundary", "mine"), []string{`workloadBoundary is "mine": want the ARN of a policy`}},
		"exceptions not a list":    {settings("policyExceptions", "CD-21"), []string{`policyExceptions is "CD-21": want a list`}},
		"every mistake in one run": {settings("adminCidrs", "-", "sshPublicKey", "-", "rootVolumeGiB", "1"), []string{"adminCidrs", "sshPublicKey", "rootVolumeGiB"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadConfig("dev", tt.settings)
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			if name != "every mistake in one run" {
				assert.NotContains(t, err.Error(), "\n", "one mistake, one error")
			}
			assert.Equal(t, strings.Count(err.Error(), "\n")+1, strings.Count(err.Error(), "fix it with: "), "every error must say what mends it")
		})
	}
}

func TestStackNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dev", "a1", "my-own-stack"} {
		_, err := ReadConfig(name, settings("topology", "dev"))
		assert.NoError(t, err, name)
	}
	for _, name := range []string{"", "Dev", "dev_1", "1dev", "dev-", "d", strings.Repeat("d", 33)} {
		_, err := ReadConfig(name, settings("topology", "dev"))
		assert.ErrorContains(t, err, "the stack's name is "+strconv.Quote(name))
	}
	_, err := ReadConfig("alice", settings())
	assert.ErrorContains(t, err, `calldata-foundation:topology is "alice": this project knows account, dev, prod, stage; fix it with: pulumi config set calldata-foundation:topology dev -s alice`)
}

func TestPrivateKeyIsNeverShown(t *testing.T) {
	t.Parallel()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "ops")
	require.NoError(t, err)
	whole := string(pem.EncodeToMemory(block))
	body := strings.Split(whole, "\n")
	for name, pasted := range map[string]string{
		"whole":          whole,
		"without header": strings.Join(body[1:len(body)-2], "\n"),
		"a part of it":   body[2],
		"in one line":    strings.ReplaceAll(whole, "\n", " "),
		"PuTTY":          "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n" + body[2],
	} {
		_, err := ReadConfig("dev", settings("sshPublicKey", pasted))
		require.Error(t, err, name)
		for _, line := range body[1 : len(body)-2] {
			assert.NotContains(t, err.Error(), line[:8], name)
		}
		if name != "a part of it" {
			assert.ErrorContains(t, err, "holds a PRIVATE key (not shown)", name)
		}
	}
}

func TestGoodKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{testKey, testKey + " a comment with words\n", rsaKey(t, 3072)} {
		c, err := ReadConfig("dev", settings("sshPublicKey", key))
		require.NoError(t, err)
		assert.Len(t, strings.Fields(c.Access.SSHPublicKey), 2, "the comment may name a person and stays out of AWS")
	}
}

// TestProjectFile keeps the schema in Pulumi.yaml and the reader in step: same settings, same defaults.
func TestProjectFile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../Pulumi.yaml")
	require.NoError(t, err)
	var project struct {
		Name, Main string
		Config     map[string]struct {
			Type, Description string
			Default, Value    any
			Items             struct{ Type string }
		}
	}
	require.NoError(t, yaml.Unmarshal(data, &project))
	assert.Equal(t, Project, project.Name)
	assert.Equal(t, "infra", project.Main)

	bare, err := ReadConfig("dev", settings())
	require.NoError(t, err)
	given := settings()
	for name, schema := range project.Config {
		if strings.Contains(name, ":") {
			assert.Equal(t, "us-east-1", schema.Value, name)
			continue
		}
		assert.NotEmpty(t, schema.Type, name)
		assert.NotEmpty(t, schema.Description, name)
		require.NotNil(t, schema.Default, name)
		if schema.Type == "array" {
			assert.Equal(t, "string", schema.Items.Type, name)
		}
		if _, required := given[fullKey(name)]; required {
			assert.Empty(t, schema.Default, "%s has no value that suits everybody", name)
			continue
		}
		text, isText := schema.Default.(string)
		if !isText {
			raw, err := json.Marshal(schema.Default)
			require.NoError(t, err)
			text = string(raw)
		}
		given[fullKey(name)] = text
	}
	full, err := ReadConfig("dev", given)
	require.NoError(t, err, "every setting of the schema must be one that the reader knows")
	assert.Equal(t, bare, full, "the schema's defaults must be the reader's")

	_, err = ReadConfig("dev", settings("nonsense", "x"))
	require.Error(t, err)
	for name := range project.Config {
		if !strings.Contains(name, ":") {
			assert.ErrorContains(t, err, name)
		}
	}
	list := strings.Split(strings.SplitN(strings.SplitN(err.Error(), "which has ", 2)[1], ";", 2)[0], ", ")
	assert.Len(t, list, len(project.Config)-1, "every setting that the reader knows must be in the schema")
}

func ecdsaKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := ssh.NewPublicKey(&key.PublicKey)
	require.NoError(t, err)
	return string(ssh.MarshalAuthorizedKey(public))
}

func rsaKey(t *testing.T, bits int) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	public, err := ssh.NewPublicKey(&key.PublicKey)
	require.NoError(t, err)
	return string(ssh.MarshalAuthorizedKey(public))
}
