package ansible

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMask(t *testing.T) {
	t.Parallel()
	m := NewMasker("pass", "password", `q"uo'te`, "abc", "sp ace&", "-----BEGIN\nline-of-a-key\n-----END")
	for in, want := range map[string]string{
		"password=pass":    Masked + "=" + Masked,
		`{"x":"q\"uo'te"}`: `{"x":"` + Masked + `"}`,
		`'q"uo''te'`:       `'` + Masked + `'`,
		"?p=sp+ace%26":     "?p=" + Masked,
		"abc":              "abc",
		"xline-of-a-keyx":  "x" + Masked + "x",
		"nothing":          "nothing",
	} {
		assert.Equal(t, want, m.String(in), in)
	}
	assert.Equal(t, "pass", (*Masker)(nil).String("pass"))
}

// A pipe cuts text anywhere.
func TestMaskWriterAcrossWrites(t *testing.T) {
	t.Parallel()
	m := NewMasker("xabcd", "abcdefgh", "abcdef")
	const text = "1 abcdefgh 2 abcdef 3 xabcd 4 abcde 5 xab 6 abcdefg"
	want := m.String(text)
	assert.Equal(t, "1 "+Masked+" 2 "+Masked+" 3 "+Masked+" 4 abcde 5 xab 6 "+Masked+"g", want)
	for size := 1; size < len(text); size++ {
		var out bytes.Buffer
		w := m.Writer(&out)
		for i := 0; i < len(text); i += size {
			n, err := w.Write([]byte(text[i:min(i+size, len(text))]))
			assert.NoError(t, err)
			assert.Equal(t, min(size, len(text)-i), n)
		}
		assert.NoError(t, w.Close())
		assert.Equal(t, want, out.String(), "in pieces of %d", size)
	}
}
