package contract

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"testing"
)

// transport holds every answer that passes against the document.
type transport struct {
	t    testing.TB
	base http.RoundTripper
	api  *Contract
}

// Transport returns a transport that fails the test for an answer which is not
// as the document states. What is no JSON passes unread: it may be a stream.
func Transport(t testing.TB, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	return transport{t, base, API()}
}

// maxIdle is how many connections a test may use at once without making new ones.
const maxIdle = 64

// Client returns an HTTP client whose answers are held against the document.
func Client(t testing.TB) *http.Client {
	t.Helper()
	base := &http.Transport{MaxIdleConnsPerHost: maxIdle}
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: Transport(t, base)}
}

// RoundTrip sends the request.
func (c transport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a := Answer{Method: r.Method, Path: r.URL.EscapedPath(), Status: res.StatusCode, Header: res.Header}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media == "" || isJSON(media) {
		raw, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return nil, err
		}
		a.Body, res.Body = raw, io.NopCloser(bytes.NewReader(raw))
	}
	if c.t.Context().Err() == nil { // the test goes on, and can fail
		if err := c.api.Check(a); err != nil {
			c.t.Errorf("not as api/openapi.yaml states: %v", err)
		}
	}
	return res, nil
}
