package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keysLimit is far above the size of any JWKS.
const keysLimit = 1 << 20

// KeysURL turns a path into a file URL and leaves URLs as they are.
func KeysURL(location string) (string, error) {
	if parsed, err := url.Parse(location); err == nil && parsed.Scheme != "" {
		switch parsed.Scheme {
		case "http", "https", "file":
			return location, nil
		default:
			return "", fmt.Errorf("--jwks %s: only http, https and file are supported", location)
		}
	}
	if location == "" {
		return "", errors.New("--jwks is empty")
	}
	path, err := filepath.Abs(location)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", location, err)
	}
	return (&url.URL{Scheme: "file", Path: path}).String(), nil
}

// WaitForKeys returns when the JWKS can be read and has a key. Temporal starts without it too, but then refuses
// everybody until its next look, and it takes the body of an error response for an empty set: better to wait here.
func WaitForKeys(ctx context.Context, keysURL string) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := readKeys(ctx, keysURL)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the JWKS at %s cannot be used: %w (%w)", keysURL, err, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

func readKeys(ctx context.Context, keysURL string) error {
	source, err := openKeys(ctx, keysURL)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(source, keysLimit)).Decode(&set); err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	if len(set.Keys) == 0 {
		return errors.New("it has no keys")
	}
	return nil
}

func openKeys(ctx context.Context, keysURL string) (io.ReadCloser, error) {
	if strings.HasPrefix(keysURL, "file:") {
		parsed, err := url.Parse(keysURL)
		if err != nil {
			return nil, err
		}
		return os.Open(parsed.Path)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, keysURL, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("it answers %s", response.Status)
	}
	return response.Body, nil
}
