package stacks

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// minRSABits is the shortest RSA key that we let in.
// Source: NIST SP 800-57 Part 1 Rev. 5, table 2: 3072 bits for 128 bits of strength.
const minRSABits = 3072

// privateMarks occur in the forms that private keys have: PEM, PuTTY's, and the base64 of OpenSSH's own magic.
var privateMarks = []string{"PRIVATE KEY", "PuTTY-User-Key-File", "b3BlbnNzaC1rZXktdjE"}

// parsePublicKey reads one OpenSSH public key and answers it without its comment. Its errors never hold the text.
//
// EC2 imports Ed25519 and RSA keys alone. Source: Amazon EC2 API Reference, ImportKeyPair.
func parsePublicKey(text string) (string, error) {
	if text == "" {
		return "", errors.New("is not set: machines need the public half of an operator's SSH key")
	}
	for _, mark := range privateMarks {
		if strings.Contains(text, mark) {
			return "", errors.New("holds a PRIVATE key (not shown): take it out of the stack's file and its history, " +
				"regard the key as lost, make a new one with `ssh-keygen -t ed25519`, and set its public half")
		}
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	switch {
	case err != nil:
		return "", fmt.Errorf("is not an OpenSSH public key (%d characters, not shown): want one line like `ssh-ed25519 AAAA... name`", len(text))
	case len(options) > 0:
		return "", errors.New("begins with authorized_keys options, which EC2 does not take: keep the key alone")
	case len(strings.TrimSpace(string(rest))) > 0:
		return "", errors.New("has more than one line: keep one key")
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519:
	case ssh.KeyAlgoRSA:
		if bits := rsaBits(key); bits < minRSABits {
			return "", fmt.Errorf("is an RSA key of %d bits, want %d or more, or better Ed25519 (`ssh-keygen -t ed25519`)", bits, minRSABits)
		}
	default:
		return "", fmt.Errorf("is of the type %s, but EC2 imports only ssh-ed25519 and ssh-rsa: make one with `ssh-keygen -t ed25519`", key.Type())
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

// rsaBits is the length of an RSA key's modulus, or zero.
func rsaBits(key ssh.PublicKey) int {
	if holder, ok := key.(ssh.CryptoPublicKey); ok {
		if public, ok := holder.CryptoPublicKey().(*rsa.PublicKey); ok {
			return public.N.BitLen()
		}
	}
	return 0
}
