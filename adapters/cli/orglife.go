package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// orgLifeCommands are the commands that change an organization.
func (s *shell) orgLifeCommands() []*cli.Command {
	days := func(name, usage string) cli.Flag {
		return &cli.IntFlag{Name: name, Usage: usage + "; 0 is as the deployment has it (`DAYS`)"}
	}
	return []*cli.Command{
		{
			Name: "update", Usage: "change an organization", ArgsUsage: "[ORG]",
			Flags: []cli.Flag{
				orgFlag(),
				&cli.StringFlag{Name: "name", Usage: "name for people (`NAME`)"},
				&cli.StringFlag{Name: "slug", Usage: "another slug; for operators (`SLUG`)"},
				&cli.StringFlag{Name: "worker-pool", Usage: "the pool of workers that serve it; for operators (`POOL`)"},
				&cli.StringSliceFlag{Name: "metadata", Usage: "add or replace a word of your own; repeat for more (`KEY=VALUE`)"},
				&cli.StringSliceFlag{Name: "remove-metadata", Usage: "remove a word of your own; repeat for more (`KEY`)"},
				days("deletion-grace-days", "how long it can be restored after it was deleted"),
				days("audit-retention-days", "how long the audit trail is kept"),
				days("api-key-default-ttl-days", "how long an API key lives whose maker names no end"),
				days("api-key-max-ttl-days", "how long an API key may live"),
				days("workflow-retention-days", "how long closed workflows are kept"),
				&cli.BoolFlag{Name: "protect", Usage: "refuse deletion"},
				&cli.BoolFlag{Name: "unprotect", Usage: "allow deletion again"},
			},
			Description: `What no flag names stays as it is. Nothing is changed when somebody else changes the
organization at the same time.

Examples:
  bulkhead org update acme --name "Acme Corp." --metadata plan=gold
  bulkhead org update --org acme --protect --deletion-grace-days 30`,
			Action: s.orgUpdate,
		},
		{
			Name: "suspend", Usage: "suspend an organization", ArgsUsage: "ORG --reason TEXT",
			Flags: []cli.Flag{&cli.StringFlag{Name: "reason", Usage: "why, for its members (`TEXT`)"}, yesFlag()},
			Description: `Its keys stop working, and its workers lose their work, until it is resumed. Asks
before, unless --yes. For operators.

Example:
  bulkhead org suspend acme --reason "The invoice of May is not paid."`,
			Action: s.orgSuspend,
		},
		{
			Name: "resume", Usage: "resume a suspended organization", ArgsUsage: "ORG",
			Description: `Gives back exactly what the suspension took. For operators.

Example:
  bulkhead org resume acme`,
			Action: s.orgResume,
		},
		{
			Name: "delete", Usage: "delete an organization", ArgsUsage: "ORG",
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: "now", Usage: "without a time of grace, or to end it; for operators"},
				yesFlag(),
				&cli.BoolFlag{Name: "no-wait", Usage: "with --now: do not wait until it is gone"},
				&cli.DurationFlag{Name: "timeout", Usage: "with --now: how long to wait; 5m if absent (`DURATION`)", Value: provisionTimeout},
			},
			Description: `Its keys stop working at once. Its namespace and its data are removed when its time
of grace is over, 7 days unless it has decided otherwise; until then an operator can
restore it. Its slug is never given to another. Asks before, unless --yes.

Examples:
  bulkhead org delete acme
  bulkhead org delete acme --now --yes`,
			Action: s.orgDelete,
		},
		{
			Name: "restore", Usage: "restore a deleted organization in its time of grace", ArgsUsage: "ORG",
			Description: `It is suspended then, until it is resumed. For operators.

Example:
  bulkhead org restore acme`,
			Action: s.orgRestore,
		},
	}
}

// named returns the client and the organization that a command is about: its
// argument, or that of --org.
func (s *shell) named(c *cli.Context) (*sdk.Client, string, error) {
	if c.Args().Len() > 1 {
		_, err := argument(c, "ORG")
		return nil, "", err
	}
	api, err := s.client(c)
	if err != nil {
		return nil, "", err
	}
	if s.orgName = c.Args().First(); s.orgName == "" {
		s.orgName, err = s.org(c, api)
	}
	return api, s.orgName, err
}

// theOne is named for what must be said outright.
func (s *shell) theOne(c *cli.Context) (*sdk.Client, string, error) {
	var err error
	if s.orgName, err = argument(c, "ORG"); err != nil {
		return nil, "", err
	}
	api, err := s.client(c)
	return api, s.orgName, err
}

// settingFlags are the flags that say a setting.
var settingFlags = map[string]func(*sdk.OrganizationSettings) *int32{
	"deletion-grace-days":      func(o *sdk.OrganizationSettings) *int32 { return &o.DeletionGraceDays },
	"audit-retention-days":     func(o *sdk.OrganizationSettings) *int32 { return &o.AuditRetentionDays },
	"api-key-default-ttl-days": func(o *sdk.OrganizationSettings) *int32 { return &o.APIKeyDefaultTTLDays },
	"api-key-max-ttl-days":     func(o *sdk.OrganizationSettings) *int32 { return &o.APIKeyMaxTTLDays },
	"workflow-retention-days":  func(o *sdk.OrganizationSettings) *int32 { return &o.WorkflowRetentionDays },
}

func (s *shell) orgUpdate(c *cli.Context) error {
	if c.Bool("protect") && c.Bool("unprotect") {
		return usageError("--protect and --unprotect exclude each other")
	}
	if len(c.LocalFlagNames()) == 0 || (len(c.LocalFlagNames()) == 1 && c.IsSet("org")) {
		return usageError("nothing is named that is to be changed")
	}
	api, org, err := s.named(c)
	if err != nil {
		return err
	}
	o, err := api.Organization(c.Context, org)
	if err != nil {
		return err
	}
	in, err := organizationUpdate(c, o)
	if err != nil {
		return err
	}
	if o, err = api.UpdateOrganization(c.Context, org, o.Etag, in); err != nil {
		return err
	}
	return s.printOrganization(c, o)
}

// organizationUpdate returns the change that the flags make of an organization.
func organizationUpdate(c *cli.Context, o *sdk.Organization) (sdk.OrganizationUpdate, error) {
	in := sdk.OrganizationUpdate{Name: c.String("name"), Slug: c.String("slug"), WorkerPool: c.String("worker-pool")}
	if c.IsSet("metadata") || c.IsSet("remove-metadata") {
		m, err := changeMetadata(o.Metadata, c.StringSlice("metadata"), c.StringSlice("remove-metadata"))
		if err != nil {
			return in, err
		}
		in.Metadata = &m
	}
	settings := o.Settings
	for flag, field := range settingFlags {
		if !c.IsSet(flag) {
			continue
		}
		n, err := strconv.ParseInt(strconv.Itoa(c.Int(flag)), 10, 32)
		if err != nil {
			return in, usageError(fmt.Sprintf("--%s is a number of days", flag))
		}
		*field(&settings) = int32(n)
		in.Settings = &settings
	}
	if c.Bool("protect") || c.Bool("unprotect") {
		protected := c.Bool("protect")
		in.DeletionProtected = &protected
	}
	return in, nil
}

// changeMetadata returns metadata with pairs added and keys removed.
func changeMetadata(m sdk.Metadata, pairs, remove []string) (sdk.Metadata, error) {
	if len(pairs) == 0 && len(remove) == 0 {
		return m, nil
	}
	m = maps.Clone(m)
	if m == nil {
		m = sdk.Metadata{}
	}
	for _, p := range pairs {
		key, value, found := strings.Cut(p, "=")
		if !found || key == "" {
			return nil, usageError(fmt.Sprintf("--metadata is KEY=VALUE, not %q", p))
		}
		m[key] = value
	}
	for _, key := range remove {
		delete(m, key)
	}
	return m, nil
}

func (s *shell) orgSuspend(c *cli.Context) error {
	if err := needed(c, "reason"); err != nil {
		return err
	}
	api, org, err := s.theOne(c)
	if err != nil {
		return err
	}
	if err := s.confirm(c, fmt.Sprintf("Suspend organization %s? Its keys and its workers stop.", printable(org))); err != nil {
		return err
	}
	o, err := api.SuspendOrganization(c.Context, org, c.String("reason"))
	if err != nil {
		return err
	}
	return s.printOrganization(c, o)
}

func (s *shell) orgResume(c *cli.Context) error {
	api, org, err := s.theOne(c)
	if err != nil {
		return err
	}
	o, err := api.ResumeOrganization(c.Context, org)
	if err != nil {
		return err
	}
	return s.printOrganization(c, o)
}

func (s *shell) orgRestore(c *cli.Context) error {
	api, org, err := s.theOne(c)
	if err != nil {
		return err
	}
	o, err := api.RestoreOrganization(c.Context, org)
	if err != nil {
		return err
	}
	if err := s.printOrganization(c, o); err != nil || asJSON(c) {
		return err
	}
	if o.State == sdk.OrganizationStateSuspended {
		s.say("\nLet it work again:\n  bulkhead org resume %s\n", quote(o.Slug))
	}
	return nil
}

func (s *shell) orgDelete(c *cli.Context) error {
	api, org, err := s.theOne(c)
	if err != nil {
		return err
	}
	o, err := api.Organization(c.Context, org)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Delete organization %s (%s)? Its keys stop at once, and its namespace %s goes after its time of grace.",
		printable(o.Slug), printable(o.Name), printable(o.Namespace))
	if c.Bool("now") {
		question = fmt.Sprintf("Delete organization %s (%s) with all its data and its namespace %s, now and for good?",
			printable(o.Slug), printable(o.Name), printable(o.Namespace))
	}
	if err := s.confirm(c, question); err != nil {
		return err
	}
	d, err := api.DeleteOrganization(c.Context, org, sdk.Deletion{Slug: o.Slug, ETag: o.Etag, Now: c.Bool("now")})
	if err != nil {
		return err
	}
	if c.Bool("now") && !c.Bool("no-wait") {
		if err := s.awaitDeletion(c, api, d); err != nil {
			return err
		}
	}
	if asJSON(c) {
		return s.printJSON(d)
	}
	if err := s.printPairs(
		pair{"organization", d.Organization.Slug}, pair{"id", d.Organization.ID}, pair{"state", string(d.Organization.State)},
		pair{"restorable until", s.moment(d.Organization.DeleteAfter)}, pair{"operation", d.Operation.ID},
	); err != nil {
		return err
	}
	if !c.Bool("now") {
		s.say("\nTo take it back, have an operator run:\n  bulkhead org restore %s\n", quote(d.Organization.Slug))
	}
	return nil
}

// awaitDeletion follows a deletion and brings d up to date with how it ended.
func (s *shell) awaitDeletion(c *cli.Context, api *sdk.Client, d *sdk.OrganizationDeletion) error {
	op, err := s.await(c, api, d.Operation.ID, "Deleting organization "+d.Organization.Slug)
	if err != nil {
		return err
	}
	d.Operation = *op
	o, err := api.Organization(c.Context, d.Organization.ID)
	if err != nil {
		return err
	}
	d.Organization = *o
	return nil
}

func (s *shell) printOrganization(c *cli.Context, o *sdk.Organization) error {
	if asJSON(c) {
		return s.printJSON(o)
	}
	settings := o.Settings
	pairs := []pair{
		{"organization", o.Slug},
		{"id", o.ID},
		{"name", o.Name},
		{"state", string(o.State)},
		{"reason", o.StateReason},
		{"restorable until", s.moment(o.DeleteAfter)},
		{"namespace", o.Namespace},
		{"namespace state", string(o.NamespaceState)},
		{"protected", yes(o.DeletionProtected)},
		{"worker pool", o.WorkerPool},
		{"members", amount(o.MemberCount)},
		{"api keys", amount(o.APIKeyCount)},
		{"deletion grace", inDays(settings.DeletionGraceDays)},
		{"audit retention", inDays(settings.AuditRetentionDays)},
		{"api key default life", inDays(settings.APIKeyDefaultTTLDays)},
		{"api key longest life", inDays(settings.APIKeyMaxTTLDays)},
		{"workflow retention", inDays(settings.WorkflowRetentionDays)},
	}
	for _, key := range slices.Sorted(maps.Keys(o.Metadata)) {
		pairs = append(pairs, pair{"metadata " + printable(key), o.Metadata[key]})
	}
	return s.printPairs(append(pairs, pair{"created", s.moment(o.CreatedAt)}, pair{"updated", s.moment(o.UpdatedAt)})...)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// amount is "" for none, which answers that do not count cannot be told from.
func amount(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

func inDays(n int32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%dd", n)
}
