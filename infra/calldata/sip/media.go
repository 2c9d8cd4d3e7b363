package sip

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/emiago/diago/media"
	"github.com/pion/rtp"
	"github.com/zaf/g711"
)

const (
	// packetTime is the audio in one RTP packet, the default of RFC 3551, section 4.2.
	packetTime = 20 * time.Millisecond
	// sampleRate is that of G.711, in Hz.
	sampleRate = 8000
	// packetSamples is the number of samples, and of G.711 bytes, in one packet.
	packetSamples = sampleRate * int(packetTime) / int(time.Second)
	// tail is how long to wait for echoes after the last packet left.
	tail = 600 * time.Millisecond
)

// Media is what came of sending a tone and listening to its echo.
type Media struct {
	// Sent and Received count RTP packets.
	Sent     int `json:"sent"`
	Received int `json:"received"`
	// Echoed counts the sent packets whose audio was heard unchanged: in an echo, or at the other end.
	Echoed int `json:"echoed"`
	// FirstPacket is the time from the first packet out to the first packet in; 0 when none came.
	FirstPacket time.Duration `json:"-"`
	// Source is the address that the received packets came from.
	Source string `json:"source,omitempty"`
}

// Loss is the share of sent packets whose audio did not come back, from 0 to 1.
func (m Media) Loss() float64 {
	if m.Sent == 0 {
		return 0
	}
	return 1 - float64(m.Echoed)/float64(m.Sent)
}

// Exchange sends a tone for the given time, one packet every 20 ms, and listens for its echo a little longer. The error
// is about this machine's own sending and receiving; what the other side did or did not do is in Media.
func (c *Call) Exchange(ctx context.Context, duration time.Duration) (Media, error) {
	turn, err := c.talk(ctx, duration, upward)
	if err != nil {
		return Media{}, err
	}
	return turn.compare(turn), nil
}

// Converse lets both ends of one call talk at once, each with a tone of its own. It answers what of each end's tone the
// other end heard.
func Converse(ctx context.Context, caller, callee *Call, duration time.Duration) (toCallee, toCaller Media, err error) {
	type result struct {
		turn
		err error
	}
	other := make(chan result, 1)
	go func() {
		t, err := callee.talk(ctx, duration, downward)
		other <- result{t, err}
	}()
	mine, err := caller.talk(ctx, duration, upward)
	theirs := <-other
	if err := errors.Join(err, theirs.err); err != nil {
		return Media{}, Media{}, err
	}
	return mine.compare(theirs.turn), theirs.compare(mine), nil
}

// turn is what one end said and heard.
type turn struct {
	begin time.Time
	said  []rtp.Packet
	heard echo
}

// compare tells what of t's tone the other end heard.
func (t turn) compare(other turn) Media {
	result := Media{Sent: len(t.said), Received: len(other.heard.packets), Source: other.heard.source}
	if !other.heard.first.IsZero() {
		result.FirstPacket = other.heard.first.Sub(t.begin)
	}
	stream := other.heard.stream()
	for _, p := range t.said {
		if bytes.Contains(stream, p.Payload) {
			result.Echoed++
		}
	}
	return result
}

// talk sends a tone and listens.
func (c *Call) talk(ctx context.Context, duration time.Duration, s sweep) (turn, error) {
	c.phone.talking.RLock()
	defer c.phone.talking.RUnlock()
	session := c.dialog.MediaSession()
	packets := tone(max(1, int(duration/packetTime)), session.CommonCodecs(), s)
	deadline := time.Duration(len(packets))*packetTime + tail
	if err := session.StopRTP(1, deadline); err != nil {
		return turn{}, fmt.Errorf("set a time limit for receiving RTP: %w", err)
	}
	heard := make(chan echo, 1)
	go func() { heard <- listen(session, len(packets)) }()

	t := turn{begin: time.Now()}
	sent, sendErr := c.send(ctx, session, packets)
	if sendErr != nil || c.Ended() {
		_ = session.StopRTP(1, 0) // wakes the listener: nothing more is worth waiting for
	}
	t.said, t.heard = packets[:sent], <-heard
	return t, errors.Join(sendErr, t.heard.err)
}

// direction is that of a session description (RFC 8866, section 6.7).
func direction(description []byte) string {
	for line := range strings.Lines(string(description)) {
		switch name := strings.TrimPrefix(strings.TrimSpace(line), "a="); name {
		case "sendonly", "recvonly", "inactive":
			return name
		}
	}
	return "sendrecv"
}

// send writes the packets at their pace and answers how many left; it stops early when the call ends.
func (c *Call) send(ctx context.Context, session *media.MediaSession, packets []rtp.Packet) (int, error) {
	tick := time.NewTicker(packetTime)
	defer tick.Stop()
	for i := range packets {
		// An ICMP "port unreachable" for an earlier packet shows up as an error of this one. RTP goes on: a listener may
		// still open its port.
		if err := session.WriteRTP(&packets[i]); err != nil && errors.Is(err, net.ErrClosed) {
			return i, nil
		}
		select {
		case <-tick.C:
		case <-c.dialog.Context().Done():
			return i + 1, nil
		case <-ctx.Done():
			return i + 1, fmt.Errorf("send RTP: %w", ctx.Err())
		}
	}
	return len(packets), nil
}

// echo is what was heard.
type echo struct {
	packets []rtp.Packet
	first   time.Time
	source  string
	err     error
}

// stream is the audio in the order in which it was spoken, so that audio is found again even when the other side cuts it
// into packets of another length.
func (e echo) stream() []byte {
	ordered := slices.Clone(e.packets)
	slices.SortStableFunc(ordered, func(a, b rtp.Packet) int {
		return cmp.Compare(int16(a.SequenceNumber-e.packets[0].SequenceNumber), int16(b.SequenceNumber-e.packets[0].SequenceNumber)) //nolint:gosec // serial number arithmetic wraps on purpose (RFC 1982)
	})
	var audio []byte
	for _, p := range ordered {
		audio = append(audio, p.Payload...)
	}
	return audio
}

// listen reads until the deadline that is set on the session, or until everything that was sent has had time to come
// back twice.
func listen(session *media.MediaSession, most int) echo {
	var heard echo
	buffer := make([]byte, media.RTPBufSize)
	for len(heard.packets) < 2*most {
		var packet rtp.Packet
		_, err := session.ReadRTP(buffer, &packet)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return heard
		case isNetError(err):
			heard.err = fmt.Errorf("receive RTP: %w", err)
			return heard
		case err != nil || packet.Version != 2 || len(packet.Payload) == 0:
			continue // not RTP: somebody else's packet, or a keep-alive
		}
		if heard.first.IsZero() {
			heard.first = time.Now()
			heard.source = session.ReadRTPFromAddr.String()
		}
		packet.Payload = slices.Clone(packet.Payload)
		heard.packets = append(heard.packets, packet)
	}
	return heard
}

func isNetError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// sweep is from one frequency to another, in Hz.
type sweep struct{ from, to float64 }

// Two tones that share no packet.
var (
	upward   = sweep{400, 1200}
	downward = sweep{2100, 1300}
)

// tone is a sweep in G.711: every packet of it sounds different, so that each is known when it comes back.
func tone(count int, codecs []media.Codec, s sweep) []rtp.Packet {
	codec := media.CodecAudioUlaw
	if len(codecs) > 0 {
		codec = codecs[0]
	}
	encode := g711.EncodeUlawFrame
	if codec.PayloadType == media.CodecAudioAlaw.PayloadType {
		encode = g711.EncodeAlawFrame
	}
	const loudness = 8000.0
	packets := make([]rtp.Packet, count)
	start := randomStart()
	phase, total := 0.0, float64(count*packetSamples)
	for i := range packets {
		payload := make([]byte, packetSamples)
		for j := range payload {
			progress := float64(i*packetSamples+j) / total
			phase += 2 * math.Pi * (s.from + (s.to-s.from)*progress) / sampleRate
			payload[j] = encode(int16(loudness * math.Sin(phase)))
		}
		packets[i] = rtp.Packet{
			Header: rtp.Header{
				Version:        2,
				Marker:         i == 0,
				PayloadType:    codec.PayloadType,
				SequenceNumber: start.sequence + uint16(i),                //nolint:gosec // wraps on purpose
				Timestamp:      start.timestamp + uint32(i*packetSamples), //nolint:gosec // wraps on purpose
				SSRC:           start.ssrc,
			},
			Payload: payload,
		}
	}
	return packets
}

// randomStart is what RFC 3550, section 5.1, wants to be random.
func randomStart() (s struct {
	sequence        uint16
	timestamp, ssrc uint32
}) {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	s.sequence = binary.BigEndian.Uint16(b[:])
	s.timestamp = binary.BigEndian.Uint32(b[2:])
	s.ssrc = binary.BigEndian.Uint32(b[6:])
	return s
}
