package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/sdk"
)

func (s *shell) auditCommand() *cli.Command {
	since := &cli.StringFlag{Name: "since", Usage: "the earliest time: a date and time, or how long ago, such as 24h or 30d (`TIME`)"}
	until := &cli.StringFlag{Name: "until", Usage: "the end of the time, in the same forms (`TIME`)"}
	filters := []cli.Flag{
		orgFlag(),
		&cli.BoolFlag{Name: "all", Usage: "of all organizations; for operators"},
		&cli.StringFlag{Name: "actor", Usage: "id of the user or API key who acted (`ID`)"},
		&cli.StringFlag{Name: "action", Usage: "what was done, such as user.created (`ACTION`)"},
		&cli.StringFlag{Name: "resource", Usage: "what it was done to, such as user or user/usr_… (`TYPE[/ID]`)"},
		&cli.StringFlag{Name: "outcome", Usage: "succeeded, requested, refused or failed (`OUTCOME`)"},
	}
	return &cli.Command{
		Name: "audit", Usage: "the audit trail of an organization", Category: categoryTenants,
		Description: `Who did what and when, refusals too. The entries are a chain: what is altered or
removed afterwards is found by "bulkhead audit verify".

Example:
  bulkhead audit list --org acme --since 24h`,
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list entries",
				Flags: slices.Concat(filters, []cli.Flag{since, until, limitFlag("entries to list", 50)}),
				Description: `The newest first.

Examples:
  bulkhead audit list --org acme --outcome refused
  bulkhead audit list --org acme --resource user --since 30d --limit 200`,
				Action: s.auditList,
			},
			{
				Name: "get", Aliases: []string{"show"}, Usage: "show an entry", ArgsUsage: "EVENT_ID", Flags: []cli.Flag{orgFlag()},
				Description: `With what changed.

Example:
  bulkhead audit get evt_01h455vb4pex5vsknk084sn02q --org acme`,
				Action: s.auditGet,
			},
			{
				Name: "verify", Usage: "verify that nothing was altered or removed",
				Flags: []cli.Flag{
					orgFlag(),
					&cli.StringFlag{Name: "file", Usage: "verify an export instead, without asking anybody (`FILE`)"},
					&cli.StringFlag{Name: "after", Usage: "hash that the export must follow, as an earlier one ended (`HASH`)"},
				},
				Description: `Computes the hash of every entry again. Keep the hash of the head: the trail that
ends in it can not be written anew unnoticed. An export is verified here, by this
program alone; --after ties it to the export before it.

Examples:
  bulkhead audit verify --org acme
  bulkhead audit verify --file acme.ndjson`,
				Action: s.auditVerify,
			},
			{
				Name: "export", Usage: "write the trail as lines of JSON",
				Flags: []cli.Flag{orgFlag(), since, until, &cli.StringFlag{Name: "file", Usage: "write to `FILE`, else to the standard output"}},
				Description: `The oldest first. The last line says how many entries there are and where the chain
ends; without it the export is not whole, and the command fails.

Example:
  bulkhead audit export --org acme --since 2030-01-01T00:00:00Z --file acme.ndjson`,
				Action: s.auditExport,
			},
			{
				Name: "tail", Usage: "follow the trail",
				Flags: slices.Concat(filters, []cli.Flag{&cli.DurationFlag{Name: "every", Value: 2 * time.Second, Usage: "how often to look; 2s if absent (`DURATION`)"}}),
				Description: `Prints new entries as they come, until it is interrupted.

Example:
  bulkhead audit tail --org acme --outcome refused`,
				Action: s.auditTail,
			},
		},
	}
}

// auditFilter reads the flags that choose entries.
func (s *shell) auditFilter(c *cli.Context) (sdk.AuditFilter, error) {
	kind, resource, _ := strings.Cut(c.String("resource"), "/")
	f := sdk.AuditFilter{
		Actor: c.String("actor"), Action: c.String("action"), ResourceType: kind, ResourceID: resource,
		Outcome: sdk.AuditEventOutcome(c.String("outcome")),
	}
	var err error
	if f.From, err = s.point(c, "since"); err != nil {
		return f, err
	}
	f.To, err = s.point(c, "until")
	return f, err
}

// point reads a time: one that is written out, or one that lies so long ago.
func (s *shell) point(c *cli.Context, flag string) (time.Time, error) {
	given := c.String(flag)
	if given == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, given); err == nil {
		return t, nil
	}
	ago, err := parseLife("--"+flag, given)
	if err != nil {
		return time.Time{}, usageError(fmt.Sprintf("--%s is a time such as 2030-01-02T15:04:05Z, 12h or 30d, not %q", flag, given))
	}
	return s.env.Now().Add(-ago), nil
}

// auditPages returns how to read the pages of the trail that is meant.
func (s *shell) auditPages(c *cli.Context) (func(context.Context, sdk.AuditFilter, sdk.ListOptions) (*sdk.AuditEventList, error), error) {
	if c.Bool("all") {
		api, err := s.client(c)
		if err != nil {
			return nil, err
		}
		return api.ListPlatformAuditEvents, nil
	}
	api, org, err := s.within(c)
	return func(ctx context.Context, f sdk.AuditFilter, o sdk.ListOptions) (*sdk.AuditEventList, error) {
		return api.ListAuditEvents(ctx, org, f, o)
	}, err
}

func (s *shell) auditList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	filter, err := s.auditFilter(c)
	if err != nil {
		return err
	}
	pages, err := s.auditPages(c)
	if err != nil {
		return err
	}
	left := c.Int("limit")
	list := sdk.AuditEventList{Items: []sdk.AuditEvent{}}
	for o := (sdk.ListOptions{}); ; o.Cursor = list.NextCursor {
		o.Limit = min(left, 200)
		p, err := pages(c.Context, filter, o)
		if err != nil {
			return err
		}
		list.Items, list.NextCursor = append(list.Items, p.Items...), p.NextCursor
		if left -= len(p.Items); left <= 0 || p.NextCursor == "" {
			break
		}
	}
	if asJSON(c) {
		list.NextCursor = "" // of no use here: --limit asks for more
		return s.printJSON(list)
	}
	rows := make([][]string, 0, len(list.Items))
	for _, e := range list.Items {
		rows = append(rows, auditRow(e))
	}
	return s.printTable([]string{"TIME", "SEQ", "ACTOR", "ACTION", "RESOURCE", "OUTCOME", "ID"}, rows)
}

func auditRow(e sdk.AuditEvent) []string {
	action := e.Action
	if e.Count > 1 {
		action += fmt.Sprintf(" ×%d", e.Count)
	}
	return []string{e.At.UTC().Format(time.RFC3339), fmt.Sprint(e.Seq), actorOf(e.Actor), action, resourceOf(e), string(e.Outcome), e.ID}
}

func actorOf(a sdk.AuditEventActor) string { return first(a.UserID, a.APIKeyID, a.Name, a.Kind) }

func resourceOf(e sdk.AuditEvent) string {
	return strings.TrimSuffix(e.ResourceType+"/"+e.ResourceID, "/")
}

func (s *shell) auditGet(c *cli.Context) error {
	event, err := argument(c, "EVENT_ID")
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	e, err := api.AuditEvent(c.Context, org, event)
	if err != nil {
		return err
	}
	if asJSON(c) {
		return s.printJSON(e)
	}
	pairs := []pair{
		{"entry", e.ID},
		{"seq", fmt.Sprint(e.Seq)},
		{"time", s.moment(e.At)},
		{"actor", e.Actor.Kind},
		{"user", e.Actor.UserID},
		{"key", e.Actor.APIKeyID},
		{"part", e.Actor.Name},
		{"action", e.Action},
		{"resource", resourceOf(*e)},
		{"outcome", string(e.Outcome)},
		{"count", fmt.Sprint(e.Count)},
		{"request", e.RequestID},
		{"address", e.SourceIP},
		{"hash", e.Hash},
	}
	var changes map[string]sdk.AuditChange
	if err := json.Unmarshal(e.Changes, &changes); err != nil {
		return fmt.Errorf("read the changes: %w", err)
	}
	names := make([]string, 0, len(changes))
	for name := range changes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		pairs = append(pairs, pair{"changed " + printable(name), first(string(changes[name].Before), "nothing") + " → " + first(string(changes[name].After), "nothing")})
	}
	return s.printPairs(pairs...)
}

func (s *shell) auditVerify(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if name := c.String("file"); name != "" {
		return s.auditVerifyFile(c, name)
	}
	if c.String("after") != "" {
		return usageError("--after belongs to --file")
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	v, err := api.VerifyAuditTrail(c.Context, org)
	if err != nil {
		return err
	}
	return s.printVerification(c, *v)
}

// printVerification prints what was found. A chain that is broken is a failure.
func (s *shell) printVerification(c *cli.Context, v sdk.AuditVerification) error {
	var err error
	if asJSON(c) {
		err = s.printJSON(v)
	} else {
		bad := ""
		if v.FirstBadSeq != 0 {
			bad = fmt.Sprint(v.FirstBadSeq)
		}
		err = s.printPairs(
			pair{"valid", fmt.Sprint(v.Valid)}, pair{"checked", fmt.Sprint(v.Checked)}, pair{"from", fmt.Sprint(v.FromSeq)},
			pair{"first bad", bad}, pair{"head", fmt.Sprint(v.HeadSeq)}, pair{"head hash", v.HeadHash},
		)
	}
	if err == nil && !v.Valid {
		return &failure{code: exitFailure, message: fmt.Sprintf("the chain is broken at entry %d: it was altered, or is missing", v.FirstBadSeq)}
	}
	return err
}

// auditVerifyFile verifies an export by the code that the server verifies by.
func (s *shell) auditVerifyFile(c *cli.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	defer f.Close()
	v, err := verifyExport(f, c.String("after"))
	if err != nil {
		return &failure{code: exitFailure, message: fmt.Sprintf("the file %s: %s", name, err)}
	}
	return s.printVerification(c, v)
}

// verifyExport reads an export to its end. after is the hash that it must follow;
// "" is any.
func verifyExport(r io.Reader, after string) (sdk.AuditVerification, error) {
	var out sdk.AuditVerification
	var v *audit.Verifier
	for line, err := range sdk.ReadAuditExport(r) {
		if err != nil {
			return out, err
		}
		switch {
		case line.Start.OrganizationID != "":
			hash, err := audit.ParseHash(line.Start.AfterHash)
			if err != nil || v != nil {
				return out, errors.New("the export's first line is none")
			}
			if after != "" && after != line.Start.AfterHash {
				return out, fmt.Errorf("the export follows %s, and not the hash that is given", line.Start.AfterHash)
			}
			v = audit.NewVerifier(audit.Anchor{Seq: line.Start.AfterSeq, Hash: hash})
			out.FromSeq = line.Start.AfterSeq + 1
		case v == nil:
			return out, errors.New("the export does not begin with its first line")
		case line.End.HeadHash != "":
			hash, err := audit.ParseHash(line.End.LastHash)
			if err != nil {
				return out, fmt.Errorf("the export's last line: %w", err)
			}
			out.Valid = v.End(audit.Anchor{Seq: line.End.LastSeq, Hash: hash}) && v.Checked() == line.End.Count
			out.HeadSeq, out.HeadHash = line.End.LastSeq, line.End.LastHash
		default:
			record, err := recordOf(line.Event)
			if err != nil {
				return out, fmt.Errorf("entry %d: %w", line.Event.Seq, err)
			}
			v.Add(record)
		}
	}
	out.Checked, out.FirstBadSeq = v.Checked(), v.FirstBad()
	return out, nil
}

// recordOf reads an exported entry.
func recordOf(e sdk.AuditEvent) (audit.Record, error) {
	r := audit.Record{
		At: e.At.UTC(), Actor: audit.Actor{Kind: e.Actor.Kind, Name: e.Actor.Name}, Action: e.Action, ResourceType: e.ResourceType,
		ResourceID: e.ResourceID, Outcome: string(e.Outcome), Count: e.Count, RequestID: e.RequestID, Seq: e.Seq,
	}
	var errs []error
	r.ID = parsed[id.EventKind](&errs, e.ID)
	r.OrgID = parsed[id.OrgKind](&errs, e.OrganizationID)
	r.Actor.Org = parsed[id.OrgKind](&errs, e.Actor.OrganizationID)
	r.Actor.User = parsed[id.UserKind](&errs, e.Actor.UserID)
	r.Actor.Key = parsed[id.APIKeyKind](&errs, e.Actor.APIKeyID)
	var err error
	if e.SourceIP != "" {
		r.SourceIP, err = netip.ParseAddr(e.SourceIP)
		errs = append(errs, err)
	}
	r.Changes, err = audit.Canonical(e.Changes)
	errs = append(errs, err)
	r.Hash, err = audit.ParseHash(e.Hash)
	return r, errors.Join(append(errs, err)...)
}

func parsed[K id.Kind](errs *[]error, s string) id.ID[K] {
	if s == "" {
		return id.ID[K]{}
	}
	v, err := id.Parse[K](s)
	*errs = append(*errs, err)
	return v
}

func (s *shell) auditExport(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	filter, err := s.auditFilter(c)
	if err != nil {
		return err
	}
	api, org, err := s.within(c)
	if err != nil {
		return err
	}
	out, finish := s.env.Out, func() error { return nil }
	if name := c.String("file"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
		defer f.Close()
		out, finish = f, f.Close
	}
	end, err := api.ExportAuditEvents(c.Context, org, filter.From, filter.To, out)
	if err != nil {
		return err
	}
	if err := finish(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	if !asJSON(c) {
		s.say("%d entries, to %d of %d; the last one's hash is %s\n", end.Count, end.LastSeq, end.HeadSeq, end.LastHash)
	}
	return nil
}

func (s *shell) auditTail(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	filter, err := s.auditFilter(c)
	if err != nil {
		return err
	}
	pages, err := s.auditPages(c)
	if err != nil {
		return err
	}
	// An entry of any organization is known by its id. The first look is at the last
	// page of what was there before.
	seen, begun := map[string]bool{}, false
	tick := time.NewTicker(max(c.Duration("every"), 100*time.Millisecond))
	defer tick.Stop()
	for {
		fresh, err := unseen(c.Context, pages, filter, seen, begun)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(fresh) {
			if err := s.printEvent(c, e); err != nil {
				return err
			}
		}
		begun = true
		select {
		case <-c.Done():
			return &failure{code: exitInterrupted, message: "interrupted"}
		case <-tick.C:
		}
	}
}

// unseen returns the entries that were not seen before, the newest first: of the
// first page only at first, and of as many as it takes afterwards. It keeps in
// mind the last ones that it has seen.
func unseen(ctx context.Context, pages func(context.Context, sdk.AuditFilter, sdk.ListOptions) (*sdk.AuditEventList, error),
	f sdk.AuditFilter, seen map[string]bool, begun bool,
) ([]sdk.AuditEvent, error) {
	var fresh []sdk.AuditEvent
	current := map[string]bool{}
	for o := (sdk.ListOptions{Limit: 50}); ; {
		p, err := pages(ctx, f, o)
		if err != nil {
			return nil, err
		}
		known := false
		for _, e := range p.Items {
			current[e.ID] = true
			if seen[e.ID] {
				known = true
			} else {
				fresh = append(fresh, e)
			}
		}
		if !begun || known || p.NextCursor == "" {
			break
		}
		o.Cursor = p.NextCursor
	}
	clear(seen)
	for i := range current {
		seen[i] = true
	}
	return fresh, nil
}

// printEvent prints an entry as a line.
func (s *shell) printEvent(c *cli.Context, e sdk.AuditEvent) error {
	if asJSON(c) {
		return json.NewEncoder(s.env.Out).Encode(e)
	}
	row := auditRow(e)
	for i := range row {
		row[i] = printable(row[i])
	}
	_, err := fmt.Fprintln(s.env.Out, strings.Join(row, "  "))
	return err
}
