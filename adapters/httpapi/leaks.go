package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/leaks"
)

// toAPIKeyUpdate reads what a key is to become.
func toAPIKeyUpdate(in gen.APIKeyUpdate) (apikeys.UpdateInput, error) {
	out := apikeys.UpdateInput{
		Name: in.Name, Description: in.Description, Scopes: in.Scopes, AllowedIPs: in.AllowedIPs, Metadata: in.Metadata, ExpiresAt: in.ExpiresAt,
	}
	if in.Limits != nil {
		out.Limits = toKeyLimits(*in.Limits)
	}
	if orZero(in.NeverExpires) {
		if in.ExpiresAt != nil {
			return apikeys.UpdateInput{}, fault.InvalidField("/never_expires", "conflict", "must not stand together with expires_at")
		}
		out.ExpiresAt = new(time.Time)
	}
	return out, nil
}

// toRotation reads until when the old secret is to live.
func toRotation(in gen.APIKeyRotate) (apikey.Rotation, error) {
	var grace *time.Duration
	if in.Grace != nil {
		d := time.Duration(*in.Grace) * time.Second
		grace = &d
	}
	return apikey.NewRotation(grace, orZero(in.UntilSeen))
}

// parseIP reads an address, which may be absent.
func parseIP(pointer string, s *string) (netip.Addr, error) {
	if s == nil {
		return netip.Addr{}, nil
	}
	ip, err := netip.ParseAddr(*s)
	if err != nil {
		return netip.Addr{}, fault.InvalidField(pointer, ruleFormat, "must be an IP address")
	}
	return ip.WithZone(""), nil
}

// VerifyAPIKey says what a key is worth that another service was shown.
func (h *handlers) VerifyAPIKey(ctx context.Context, req gen.VerifyAPIKeyRequestObject) (gen.VerifyAPIKeyResponseObject, error) {
	in := auth.VerifyInput{Key: req.Body.Key, Permissions: orZero(req.Body.Permissions), Cost: 1}
	if req.Body.Cost != nil {
		in.Cost = int64(*req.Body.Cost)
	}
	var err error
	if in.IP, err = parseIP("/ip", req.Body.IP); err != nil {
		return nil, err
	}
	v, err := h.Auth.Verify(ctx, actorOf(ctx), in)
	if err != nil {
		return nil, err
	}
	return gen.VerifyAPIKey200JSONResponse(toVerification(v)), nil
}

// ReportLeakedAPIKey revokes a key that an operator hands in.
func (h *handlers) ReportLeakedAPIKey(ctx context.Context, req gen.ReportLeakedAPIKeyRequestObject) (gen.ReportLeakedAPIKeyResponseObject, error) {
	k, found, err := h.Leaks.Report(ctx, actorOf(ctx), req.Body.Key)
	if err != nil {
		return nil, err
	}
	out := gen.ReportLeakedAPIKey200JSONResponse{Found: found}
	if found {
		shown := h.toAPIKey(k)
		out.APIKey = &shown
	}
	return out, nil
}

// ReceiveGitHubLeaks revokes what GitHub's secret scanning found. That it is
// GitHub who says so was checked before anything of the request was read. The
// answer names a token by its sum: it is not repeated to anybody.
func (h *handlers) ReceiveGitHubLeaks(ctx context.Context, req gen.ReceiveGitHubLeaksRequestObject) (gen.ReceiveGitHubLeaksResponseObject, error) {
	found := make([]leaks.Leak, len(*req.Body))
	for i, item := range *req.Body {
		found[i] = leaks.Leak{Token: item.Token, URL: legibleURL(orZero(item.URL))}
	}
	e := exchangeOf(ctx)
	ours, err := h.Leaks.Scanned(ctx, authz.Origin{RequestID: e.requestID[0], IP: e.ip}, found)
	if err != nil {
		return nil, err
	}
	out := make(gen.ReceiveGitHubLeaks200JSONResponse, len(found))
	for i, item := range *req.Body {
		sum := sha256.Sum256([]byte(item.Token))
		out[i].TokenHash, out[i].TokenType, out[i].Label = hex.EncodeToString(sum[:]), orZero(item.Type), gen.FalsePositive
		if ours[i] {
			out[i].Label = gen.TruePositive
		}
	}
	return out, nil
}

const maxLeakURL = 1024

// legibleURL keeps of an address what may stand in a trail.
func legibleURL(s string) string {
	if !strings.HasPrefix(s, "https://") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return clip(s, maxLeakURL)
}
