package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/sdk"
)

// exportOf is an export of n entries, as the API writes it, line by line.
func exportOf(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	add := func(l sdk.AuditExportLine) {
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	o, at := id.New[id.OrgKind](), audit.Anchor{}
	add(sdk.AuditExportLine{Start: sdk.AuditExportStart{OrganizationID: o.String(), AfterHash: at.Hash.String()}})
	for i := range n {
		r, err := audit.Accepted(o, now, authz.Provisioner, audit.UserCreated, "user", fmt.Sprint(i), map[string]audit.Change{"a<b": audit.Created("ü&")}).Record()
		if err != nil {
			t.Fatal(err)
		}
		at = at.Next(r.Body())
		add(sdk.AuditExportLine{Event: sdk.AuditEvent{
			ID: r.ID.String(), OrganizationID: o.String(), Seq: at.Seq, At: r.At,
			Actor:  sdk.AuditEventActor{Kind: r.Actor.Kind, OrganizationID: r.Actor.Org.String(), Name: r.Actor.Name},
			Action: r.Action, ResourceType: r.ResourceType, ResourceID: r.ResourceID, Outcome: sdk.AuditEventOutcome(r.Outcome),
			Changes: r.Changes, Count: r.Count, Hash: at.Hash.String(),
		}})
	}
	add(sdk.AuditExportLine{End: sdk.AuditExportEnd{
		Count: int64(n), LastSeq: at.Seq, LastHash: at.Hash.String(), HeadSeq: at.Seq, HeadHash: at.Hash.String(),
	}})
	return out
}

func TestAuditVerifyFile(t *testing.T) {
	t.Parallel()
	verify := func(t *testing.T, lines []string, more ...string) (int, string, string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "x.ndjson")
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		code, out, err := w.run(append([]string{"audit", "verify", "--file", file}, more...)...)
		if len(w.asked()) > 0 {
			t.Error("the API was asked")
		}
		return code, out, err
	}

	t.Run("Should find a whole export good, without asking anybody", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, n := range []int{0, 1, 5} {
			code, out, _ := verify(t, exportOf(t, n))
			is.Equal(code, 0)
			is.True(strings.Contains(out, fmt.Sprintf("checked    %d", n)))
		}
	})

	t.Run("Should find what was done to an export", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for what, change := range map[string]func(l []string) []string{
			"altered":  func(l []string) []string { l[2] = strings.Replace(l[2], "user.created", "user.kept", 1); return l },
			"changed":  func(l []string) []string { l[2] = strings.Replace(l[2], "ü", "u", 1); return l },
			"removed":  func(l []string) []string { return append(l[:2], l[3:]...) },
			"moved":    func(l []string) []string { l[2], l[3] = l[3], l[2]; return l },
			"cut":      func(l []string) []string { return append(l[:4], l[6]) },
			"no end":   func(l []string) []string { return l[:6] },
			"no start": func(l []string) []string { return l[1:] },
			"more":     func(l []string) []string { return append(l, l[1]) },
			"noise":    func(l []string) []string { l[3] = "{"; return l },
		} {
			code, _, err := verify(t, change(exportOf(t, 5)))
			if code != int(exitFailure) || err == "" {
				t.Errorf("%s: not found: %d %s", what, code, err)
			}
		}
		_, _, err := verify(t, append(exportOf(t, 5)[:2], exportOf(t, 5)[2:]...))
		is.True(strings.Contains(err, "broken at entry 2")) // another organization's
	})

	t.Run("Should say that the file is cut, not the answer of somebody who was not asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		whole := exportOf(t, 5)
		last := len(whole) - 1
		for _, cut := range [][]string{whole[:last], append(slices.Clone(whole[:last]), whole[last][:9]), append(slices.Clone(whole[:3]), whole[3][:40])} {
			_, _, err := verify(t, cut)
			is.True(strings.Contains(err, "error: the file "))
			is.True(strings.Contains(err, ": the export is cut short: the line that ends it is missing"))
		}
		_, _, err := verify(t, append(slices.Clone(whole[:3]), "{", whole[4]))
		is.True(strings.Contains(err, "line 4 is none of an export")) // it goes on after it
	})

	t.Run("Should tie an export to the one before it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		code, _, _ := verify(t, exportOf(t, 1), "--after", audit.Hash{}.String())
		is.Equal(code, 0)
		code, _, _ = verify(t, exportOf(t, 1), "--after", strings.Repeat("0a", 32))
		is.Equal(code, int(exitFailure))
	})
}

func TestAuditExport(t *testing.T) {
	t.Parallel()

	t.Run("Should write what the API sends, and fail when it was cut short", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		lines := exportOf(t, 2)
		for _, whole := range []bool{true, false} {
			w := newWorld(t)
			text := strings.Join(lines, "\n") + "\n"
			if !whole {
				text = strings.Join(lines[:3], "\n") + "\n"
			}
			w.answers["GET /organizations/acme/audit/export"] = func(out http.ResponseWriter, _ *http.Request) {
				out.Header().Set("Content-Type", "application/x-ndjson")
				_, _ = out.Write([]byte(text))
			}
			code, out, err := w.run("audit", "export", "--org", "acme")
			is.Equal(out, text)
			is.Equal(code == 0, whole)
			is.Equal(strings.Contains(err, "2 entries, to 2 of 2"), whole)
		}
	})

	t.Run("Should not write over a file", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		file := filepath.Join(t.TempDir(), "x")
		is.NoErr(os.WriteFile(file, []byte("mine"), 0o600))
		code, _, _ := newWorld(t).run("audit", "export", "--org", "acme", "--file", file)
		is.True(code != 0)
	})
}

func TestAuditVerifyFails(t *testing.T) {
	t.Parallel()
	t.Run("Should fail when the chain is broken, and say where", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		w.answer("POST /organizations/acme/audit/verify", 200, sdk.AuditVerification{Checked: 3, FromSeq: 1, FirstBadSeq: 4, HeadSeq: 9})
		code, out, err := w.run("audit", "verify", "--org", "acme")
		is.Equal(code, int(exitFailure))
		is.True(strings.Contains(out, "false"))
		is.True(strings.Contains(err, "broken at entry 4"))
	})
}

func TestAuditTail(t *testing.T) {
	t.Parallel()
	t.Run("Should print each entry once, the oldest first, until it is interrupted", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		looks := 0
		w.answers["GET /organizations/acme/audit"] = func(out http.ResponseWriter, _ *http.Request) {
			looks++
			var list sdk.AuditEventList
			for seq := min(looks, 3); seq > 0; seq-- { // one more at each look
				e := auditEvent()
				e.ID, e.Seq = fmt.Sprintf("evt_%d", seq), int64(seq)
				list.Items = append(list.Items, e)
			}
			if looks == 5 {
				cancel()
			}
			send(out, 200, list)
		}
		code, out, _ := w.runContext(ctx, "audit", "tail", "--org", "acme", "--every", "1ms")
		is.Equal(code, int(exitInterrupted))
		lines := strings.Split(strings.TrimSpace(out), "\n")
		is.Equal(len(lines), 3)
		for i, l := range lines {
			is.True(strings.HasSuffix(l, fmt.Sprintf("evt_%d", i+1)))
		}
	})
}
