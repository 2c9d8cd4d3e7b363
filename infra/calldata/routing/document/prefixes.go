package document

import (
	"fmt"
	"strconv"
	"strings"
)

// Span is numbers of one length that begin alike.
type Span struct {
	// Prefix is E.164 digits, Length how many digits the whole number has.
	Prefix string
	Length int
}

// Overlaps reports whether some number is in both.
func (s Span) Overlaps(o Span) bool {
	return s.Length == o.Length && s.nested(o)
}

// nested reports whether one of the prefixes begins with the other.
func (s Span) nested(o Span) bool {
	return strings.HasPrefix(s.Prefix, o.Prefix) || strings.HasPrefix(o.Prefix, s.Prefix)
}

// Spans are the numbers of d as prefixes, the fewest that cover a range.
func (d Did) Spans() []Span {
	switch {
	case d.Number != "":
		return []Span{{d.Number, len(d.Number)}}
	case d.Prefix != "":
		return []Span{{d.Prefix, d.Length}}
	}
	first, err1 := strconv.ParseUint(d.First, 10, 64)
	last, err2 := strconv.ParseUint(d.Last, 10, 64)
	if err1 != nil || err2 != nil || len(d.First) != len(d.Last) {
		return nil
	}
	var spans []Span
	for first <= last {
		size, digits := uint64(1), len(d.First)
		for digits > 1 && first%(size*10) == 0 && first+size*10-1 <= last {
			size, digits = size*10, digits-1
		}
		text := fmt.Sprintf("%0*d", len(d.First), first)
		spans = append(spans, Span{text[:digits], len(d.First)})
		first += size
	}
	return spans
}

// String is d as a person writes it.
func (d Did) String() string {
	switch {
	case d.Number != "":
		return "+" + d.Number
	case d.Prefix != "":
		return fmt.Sprintf("+%s… of %d digits", d.Prefix, d.Length)
	}
	return fmt.Sprintf("+%s to +%s", d.First, d.Last)
}
