package awsfront

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// awsDomains are the domains of AWS's services.
// Source: AWS General Reference, "AWS service endpoints".
var awsDomains = []string{"amazonaws.com", "api.aws"}

// isAWS tells whether a host, with or without a port, is a service of AWS.
func isAWS(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range awsDomains {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// newProxy hands requests for services on to the emulator. The host stays as it is: it tells the service, the region and,
// in S3, the bucket.
func newProxy(endpoint *url.URL, network Network) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(endpoint)
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{DialContext: network.DialContext, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What is not AWS's API is the emulator's own.
		if !isAWS(r.Host) || strings.HasPrefix(r.URL.Path, "/moto-api") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}
