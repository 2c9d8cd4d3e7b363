// Package wazo talks to the REST APIs of a Wazo engine: wazo-auth, wazo-confd and wazo-setupd.
package wazo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The APIs below the base URL, as nginx of an engine serves them.
const (
	Auth  = "/api/auth/0.1"
	Confd = "/api/confd/1.1"
	Setup = "/api/setupd/1.0"
)

// tokenLife is how long a token lives, in seconds. A setup takes less.
const tokenLife = 3600

// maxAnswer bounds an answer, in bytes; pageSize is how many items are asked for at once.
const (
	maxAnswer = 64 << 20
	pageSize  = 500
)

// Client calls an engine. Its methods may be used by several goroutines.
type Client struct {
	base   string
	http   *http.Client
	token  string
	tenant string
}

// New makes a client of the engine at base, https://HOST[:PORT].
func New(base string, client *http.Client) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), http: client}
}

// Error is an answer other than success.
type Error struct {
	Method, Path string
	Status       int
	// Reasons are the engine's words.
	Reasons []string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: the engine answers %d", e.Method, e.Path, e.Status)
	if len(e.Reasons) > 0 {
		text += ": " + strings.Join(e.Reasons, "; ")
	}
	return text
}

// NotFound tells whether err is an answer 404.
func NotFound(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Status == http.StatusNotFound
}

// Login gets a token of the user. An engine that refuses the password answers an Error of status 401.
func (c *Client) Login(ctx context.Context, user, password string) error {
	var out struct {
		Data struct {
			Token string `json:"token"`
		} `json:"data"`
	}
	req, err := c.request(ctx, http.MethodPost, Auth+"/token", map[string]int{"expiration": tokenLife})
	if err != nil {
		return err
	}
	req.SetBasicAuth(user, password)
	if err := c.do(req, &out); err != nil {
		return err
	}
	c.token = out.Data.Token
	return nil
}

// Logout gives the token back.
func (c *Client) Logout(ctx context.Context) error {
	if c.token == "" {
		return nil
	}
	req, err := c.request(ctx, http.MethodDelete, Auth+"/token/"+c.token, nil)
	if err != nil {
		return err
	}
	err = c.do(req, nil)
	c.token = ""
	return err
}

// In answers a client of the same login that works on a tenant.
func (c *Client) In(tenant string) *Client {
	in := *c
	in.tenant = tenant
	return &in
}

// Get reads a resource into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// Post makes a resource; out, where it is not nil, gets it as the engine made it.
func (c *Client) Post(ctx context.Context, path string, body, out any) error {
	return c.call(ctx, http.MethodPost, path, body, out)
}

// Put changes a resource or an association. A nil body is none.
func (c *Client) Put(ctx context.Context, path string, body any) error {
	return c.call(ctx, http.MethodPut, path, body, nil)
}

// Delete removes a resource.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

// List reads all items of a collection.
func List[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	var all []T
	for {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		q.Set("limit", strconv.Itoa(pageSize))
		q.Set("offset", strconv.Itoa(len(all)))
		var page struct {
			Items []T `json:"items"`
		}
		if err := c.Get(ctx, path+"?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if len(page.Items) < pageSize {
			return all, nil
		}
	}
}

// Configured tells whether the wizard has passed. It needs no token.
func (c *Client) Configured(ctx context.Context) (bool, error) {
	var wizard struct {
		Configured bool `json:"configured"`
	}
	err := c.Get(ctx, Confd+"/wizard", &wizard)
	return wizard.Configured, err
}

// Wizard sets a new engine up, and waits until it is. Language is en_US or fr_FR; password becomes that of root.
func (c *Client) Wizard(ctx context.Context, language, password string) error {
	body := map[string]any{"engine_language": language, "engine_password": password, "engine_license": true}
	if err := c.Post(ctx, Setup+"/setup", body, nil); err != nil {
		return err
	}
	return Until(ctx, func() (bool, error) { return c.Configured(ctx) })
}

// pause is the time between two questions of Until.
const pause = 500 * time.Millisecond

// Until asks until the answer is yes, an error, or the context's end.
func Until(ctx context.Context, ask func() (bool, error)) error {
	for {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (c *Client) call(ctx context.Context, method, path string, body, out any) error {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	return c.do(req, out)
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("X-Auth-Token", c.token)
	}
	if c.tenant != "" {
		req.Header.Set("Wazo-Tenant", c.tenant)
	}
	return req, nil
}

func (c *Client) do(req *http.Request, out any) error {
	path, _, _ := strings.Cut(req.URL.Path, "/token/") // a token is a secret
	res, err := c.http.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) { // it quotes the URL
			err = at.Err
		}
		return fmt.Errorf("%s %s: %w", req.Method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", req.Method, path, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return &Error{Method: req.Method, Path: path, Status: res.StatusCode, Reasons: reasons(data)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what was expected: %w", req.Method, path, err)
	}
	return nil
}

// reasons reads what confd says, a list, or what auth and setupd say, an object with a reason.
func reasons(data []byte) []string {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		return list
	}
	var object struct {
		Reason  any    `json:"reason"`
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &object) == nil {
		switch {
		case object.Message != "":
			return []string{object.Message}
		case object.Reason != nil:
			return []string{fmt.Sprint(object.Reason)}
		}
	}
	return nil
}
