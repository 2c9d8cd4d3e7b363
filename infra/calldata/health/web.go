package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
)

// web checks the engine's HTTPS endpoint.
type web struct {
	base   *url.URL
	client *http.Client
	// minimum is the life that a certificate must still have.
	minimum time.Duration
	roots   *x509.CertPool // nil: the system's
	now     func() time.Time
}

// newWeb makes the checks of base, for example https://203.0.113.10.
func newWeb(base string, minimum time.Duration) (*web, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("stack output endpoints.web is %q, want https://HOST[:PORT]", base)
	}
	// Certificates have a check of their own, and a self-signed one is Wazo's default: the others look past it.
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above; no secret is sent
		DisableKeepAlives: true,                                  // each round of --wait looks anew
	}
	return &web{
		base: u, minimum: minimum, now: time.Now,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// ask sends a request and answers its status and the beginning of its body.
func (w *web) ask(ctx context.Context, method, path string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.base.JoinPath(path).String(), nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }() // read only
	body, err := io.ReadAll(io.LimitReader(res.Body, maxOutput))
	return res.StatusCode, body, err
}

// silent is what there is to say of an endpoint that did not answer. A name that does not resolve here is a warning: its
// record may be new, or not be for this side of the network, and nothing was learnt of the engine.
func (w *web) silent(what string, err error) found {
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return warn("not checked: %s does not resolve here: %s", w.base.Hostname(), lookup.Err)
	}
	return found{status: verdict.Fail, detail: what + whyNot(err), unreachable: true}
}

// status asks wazo-auth, with HEAD: Wazo answers 405 to GET.
func (w *web) status(ctx context.Context) found {
	const path = "/api/auth/0.1/status"
	code, _, err := w.ask(ctx, http.MethodHead, path)
	switch {
	case err != nil:
		return w.silent("HEAD "+path+": ", err)
	case code != http.StatusOK:
		return fail("HEAD %s answered %d %s", path, code, http.StatusText(code))
	}
	return ok("HEAD %s answered 200", path)
}

// wizard asks wazo-confd whether the engine is set up. The answer passes confd, its database, wazo-auth and wazo-provd.
func (w *web) wizard(ctx context.Context) found {
	const path = "/api/confd/1.1/wizard"
	code, body, err := w.ask(ctx, http.MethodGet, path)
	if err != nil {
		return w.silent("GET "+path+": ", err)
	}
	if code != http.StatusOK {
		return fail("GET %s answered %d %s", path, code, http.StatusText(code))
	}
	var answer struct {
		Configured *bool             `json:"configured"`
		Status     map[string]string `json:"configurable_status"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Configured == nil {
		return fail("GET %s answered no JSON with configured", path)
	}
	if !*answer.Configured {
		return fail("the engine is not set up: run `calldata configure`; until then anybody who reaches port 443 can take it over")
	}
	for _, service := range []string{"wazo-auth", "wazo-provd"} {
		if state, given := answer.Status[service]; given && state != "ok" {
			return fail("%s is %s", service, state)
		}
	}
	return ok("configured")
}

// certificate looks at the life, the name and the issuer of the server's certificate.
func (w *web) certificate(ctx context.Context) found {
	address := w.base.Host
	if w.base.Port() == "" {
		address = net.JoinHostPort(w.base.Hostname(), "443")
	}
	name := w.base.Hostname()
	config := &tls.Config{InsecureSkipVerify: true, ServerName: name} //nolint:gosec // verified below, with a better message
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return w.silent("", err)
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	return w.judgeCertificate(conn.(*tls.Conn).ConnectionState().PeerCertificates, name)
}

func (w *web) judgeCertificate(chain []*x509.Certificate, name string) found {
	if len(chain) == 0 {
		return fail("the server showed no certificate")
	}
	leaf, now := chain[0], w.now()
	day := leaf.NotAfter.UTC().Format(time.DateOnly)
	left := leaf.NotAfter.Sub(now)
	switch {
	case now.Before(leaf.NotBefore):
		return fail("valid only from %s: is the clock right?", leaf.NotBefore.UTC().Format(time.DateOnly))
	case left <= 0:
		return fail("expired on %s", day)
	case left < w.minimum:
		return fail("expires on %s, in %d days; renew it", day, int(left.Hours()/24))
	}
	detail := fmt.Sprintf("valid until %s", day)
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: w.roots, Intermediates: intermediates, CurrentTime: now})
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		detail = "self-signed or of an unknown authority, " + detail
		if nameErr := leaf.VerifyHostname(name); nameErr != nil {
			detail += fmt.Sprintf(", for %s and not for %s", names(leaf), name)
		}
		return warn("%s", detail)
	case err != nil:
		return fail("%v", err)
	}
	if leaf.VerifyHostname(name) != nil {
		return fail("is for %s, not for %s", names(leaf), name)
	}
	return ok("%s, of %s", detail, leaf.Issuer.CommonName)
}

// names lists whom a certificate is for.
func names(c *x509.Certificate) string {
	list := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		list = []string{c.Subject.CommonName}
	}
	return strings.Join(list, ", ")
}
