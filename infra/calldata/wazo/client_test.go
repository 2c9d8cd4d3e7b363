package wazo

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func serve(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return New(server.URL+"/", server.Client())
}

func TestLoginAndHeaders(t *testing.T) {
	t.Parallel()
	var gone bool
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.Method == http.MethodPost && r.URL.Path == Auth+"/token" && user == "root" && password == "good":
			_, _ = fmt.Fprint(w, `{"data":{"token":"t1"}}`)
		case r.Method == http.MethodDelete && r.URL.Path == Auth+"/token/t1":
			gone = true
		case r.Header.Get("X-Auth-Token") == "t1" && r.Header.Get("Wazo-Tenant") == "u1":
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"reason":["Authentication Failed"]}`)
		}
	})
	err := c.Login(t.Context(), "root", "bad")
	require.EqualError(t, err, "POST /api/auth/0.1/token: the engine answers 401: [Authentication Failed]")
	require.NoError(t, c.Login(t.Context(), "root", "good"))
	require.NoError(t, c.In("u1").Put(t.Context(), Confd+"/localization", map[string]string{"country": "US"}))
	require.Error(t, c.Put(t.Context(), Confd+"/localization", nil))
	require.NoError(t, c.Logout(t.Context()))
	assert.True(t, gone)
	require.NoError(t, c.Logout(t.Context()), "once is enough")
}

func TestListReadsEveryPage(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		_, _ = fmt.Fprint(w, `{"total":1200,"items":[`)
		for i := offset; i < min(1200, offset+limit); i++ {
			if i > offset {
				_, _ = fmt.Fprint(w, ",")
			}
			_, _ = fmt.Fprint(w, i)
		}
		_, _ = fmt.Fprint(w, "]}")
	})
	all, err := List[int](t.Context(), c, Confd+"/users", url.Values{"search": {"x"}})
	require.NoError(t, err)
	assert.Len(t, all, 1200)
	assert.Equal(t, 1199, all[1199])
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case Confd + "/404":
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `["Resource Not Found", "twice"]`)
		case Confd + "/message":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"message":"wrong"}`)
		default:
			_, _ = fmt.Fprint(w, `no JSON`)
		}
	})
	err := c.Get(t.Context(), Confd+"/404", nil)
	assert.True(t, NotFound(err))
	require.ErrorContains(t, err, "Resource Not Found; twice")
	err = c.Delete(t.Context(), Confd+"/message")
	assert.False(t, NotFound(err))
	require.ErrorContains(t, err, "400: wrong")
	_, err = c.Configured(t.Context())
	require.ErrorContains(t, err, "not what was expected")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, Until(ctx, func() (bool, error) { return false, nil }), context.Canceled)
	nobody := New("http://127.0.0.1:1", http.DefaultClient)
	nobody.token = "never-show-me"
	err = nobody.Logout(t.Context())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "never-show-me")
}
