package redact

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../../../.."

func TestWhatIsTakenOut(t *testing.T) {
	t.Parallel()
	r, err := New(root, "known-Secret'1", "line one of a key\nline two of a key")
	require.NoError(t, err)
	for text, secret := range map[string]string{
		"the word known-Secret'1 itself":                                                         "known-Secret",
		`{"x":"known-Secret'1"}`:                                                                 "known-Secret",
		"  line two of a key":                                                                    "line two of",
		`engine_api_root_password: "hunter2hunter2"`:                                             "hunter2",
		`{"smoke_sip_password":"hunter2","x":1}`:                                                 "hunter2",
		`"{\"db_password\": \"hunter2\", \"x\": 1}"`:                                             "hunter2",
		"Authorization: Bearer abc.def.ghi":                                                      "abc.def",
		`Proxy-Authorization: Digest username="a", response="` + strings.Repeat("ab", 16):        "abababab",
		"GET /api/auth/0.1/token/12345678-1234-1234-1234-123456789abc":                           "1234-123456789abc",
		"postgres://c4:hunter2@db/c4":                                                            "hunter2",
		"AKIAIOSFODNN7EXAMPLE":                                                                   "AKIA",
		"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG":                                          "wJalr",
		"https://b.s3.amazonaws.com/x?X-Amz-Signature=0123456789":                                "0123456789",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAAB3Nza\n-----END OPENSSH PRIVATE KEY-----":      "AAAAB3",
		"12:00 -----BEGIN RSA PRIVATE KEY-----\n12:00 AAAAB3Nza":                                 "AAAAB3",
		"AGE-SECRET-KEY-1QQPQQQSYQCYQ":                                                           "QQPQQQ",
		"x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  62313365396662343061393464336163\n  3833\n": "62313365",
		"  calldata-foundation:sshKey:\n    secure: v1:abcdef:ghijkl":                            "abcdef",
		"encryptionsalt: v1:abcdef:v1:ghijkl":                                                    "ghijkl",
		"root:$6$saltsalt$0123456789abcdef0123456789:1":                                          "saltsalt",
		"pul-" + strings.Repeat("0a", 20):                                                        "0a0a0a",
		"ghp_" + strings.Repeat("Ab1", 12):                                                       "Ab1Ab1",
	} {
		assert.NotContains(t, r.String(text), secret)
		assert.Contains(t, r.String(text), "***")
	}
}

func TestWhatStays(t *testing.T) {
	t.Parallel()
	r, err := New(root)
	require.NoError(t, err)
	for _, text := range []string{
		"kamailio: INVITE sip:+4930123@198.51.100.7 answered with 200 in 31 ms",
		`{"instanceId":"i-0123456789abcdef0","keyArn":"arn:aws:kms:us-east-1:123456789012:key/1","port":5432}`,
		"2026-11-29T23:00:00.000Z prod-uc-1 systemd: Started wazo-auth.service - wazo-auth server.",
		"CALLDATA_SECRETS_FILE /home/o/secrets.yml",
	} {
		assert.Equal(t, text, r.String(text))
	}
}

func TestNoMasksIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := New(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	for content, want := range map[string]string{
		"---\n": "monitoring_log_masks is empty", "monitoring_log_masks: [{pattern: '(', replacement: x}]\n": "missing closing )", ": [": "yaml",
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(masksFile)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, masksFile), []byte(content), 0o600))
		_, err := New(dir)
		require.ErrorContains(t, err, want)
	}
}
