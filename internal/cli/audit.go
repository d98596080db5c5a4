package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newAuditCmd makes the noun audit.
func newAuditCmd(a *app) *cobra.Command {
	return newGroup(group{
		use:   "audit",
		short: "Who asked for which change",
		long: "The audit trail has a row for every change that somebody asked for, committed together\n" +
			"with it, and for every attempt that was refused. Each row holds the hash of the one before.",
		examples: "  molecli audit list\n  molecli audit verify",
	}, newAuditListCmd(a), newAuditVerifyCmd(a))
}

// auditView is how the audit trail is shown.
func auditView() view[molecule.AuditRow] {
	type R = molecule.AuditRow
	return view[R]{
		noun: "audit rows",
		name: func(r R) string { return strconv.FormatInt(r.ID, 10) },
		columns: []column[R]{
			{Column: term.Column{Title: "ROW", Drop: 5}, cell: func(r R) term.Cell { return term.Text(strconv.FormatInt(r.ID, 10)) }},
			{Column: term.Column{Title: "AT"}, cell: func(r R) term.Cell { return term.When(r.At) }},
			{Column: term.Column{Title: "PRINCIPAL"}, cell: func(r R) term.Cell { return term.Text(r.Principal) }},
			{Column: term.Column{Title: "SOURCE", Drop: 4}, cell: func(r R) term.Cell { return term.Text(r.Source) }},
			{Column: term.Column{Title: "ACTION"}, cell: func(r R) term.Cell { return term.Text(r.Action) }},
			{Column: term.Column{Title: "OBJECT", Drop: 2}, cell: func(r R) term.Cell { return term.Text(r.Object) }},
			{Column: term.Column{Title: "RESULT", Drop: 3}, cell: auditResultCell},
			{Column: term.Column{Title: "REASON", Drop: 1, Min: 12}, cell: func(r R) term.Cell { return term.Text(r.Reason) }},
			{Column: term.Column{Title: "REQUEST"}, wide: true, cell: func(r R) term.Cell { return term.Text(r.RequestID) }},
			{Column: term.Column{Title: "HASH"}, wide: true, cell: func(r R) term.Cell { return term.Text(r.Hash.String()) }},
		},
	}
}

func auditResultCell(r molecule.AuditRow) term.Cell {
	if r.Result == molecule.AuditRefused {
		return term.Toned(term.Warn, string(r.Result))
	}
	return term.Toned(term.Good, string(r.Result))
}

// newAuditListCmd makes audit list.
func newAuditListCmd(a *app) *cobra.Command {
	var f molecule.AuditFilter
	result := ""
	narrow := fields{"principal": &f.Principal, "action": &f.Action, "object": &f.Object, "result": &result}
	cmd := a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short: "List who asked for what, newest first",
		long: "Lists the audit trail, newest first. An action that ends in a dot, and an object that\n" +
			"ends in a slash, mean all of a noun. It needs the scope admin.",
		examples: "  molecli audit list --limit 20\n  molecli audit list --object schedule/ --result refused -o jsonl",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		if err := narrow.read(s.config.Filter); err != nil {
			return err
		}
		f.Result = molecule.AuditResult(result)
		return listPages(ctx, s, auditView(), func(ctx context.Context, limit int, cursor string) (molecule.Page[molecule.AuditRow], error) {
			f.Limit, f.Cursor = limit, cursor
			return s.client.Audit(ctx, f)
		})
	})
	narrow.flags(cmd)
	completeFlag(cmd, "result", cobra.FixedCompletions(
		[]string{string(molecule.AuditDone), string(molecule.AuditRefused)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// newAuditVerifyCmd makes audit verify.
func newAuditVerifyCmd(a *app) *cobra.Command {
	file := ""
	cmd := a.asks(leaf{
		use:   "verify",
		short: "Walk the whole audit trail",
		long: "Walks the audit trail from its first row and says which row was changed, dropped or\n" +
			"moved, if any: exit 1. What was cut off the end shows only beside heads that were kept\n" +
			"elsewhere: --heads names the file that audit.export_file writes.",
		examples: "  molecli audit verify\n  molecli audit verify -o json",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		heads, err := readHeads(file)
		if err != nil {
			return err
		}
		verdict, err := s.client.VerifyAudit(ctx, heads)
		if err != nil {
			return err
		}
		if err := verdictView().one(s.printer, verdict); err != nil {
			return err
		}
		if !verdict.Sound {
			return molecule.Errorf(molecule.Internal, "the audit trail is not sound: %s", verdict.Reason).
				WithHint("compare with a backup from before: moleculed keeps serving, and nothing is mended by itself")
		}
		return nil
	})
	cmd.Flags().StringVar(&file, "heads", "", "a `FILE` of heads that were kept elsewhere")
	return cmd
}

// verdictView is how a verdict is shown.
func verdictView() view[molecule.AuditVerdict] {
	type V = molecule.AuditVerdict
	return view[V]{
		noun: "verdicts",
		name: func(v V) string { return v.Head.Hash.String() },
		record: func(v V) term.Record {
			state := term.Toned(term.Good, "sound")
			if !v.Sound {
				state = term.Toned(term.Bad, "not sound")
			}
			return term.Record{
				{Title: "trail", Cell: state},
				{Title: "rows", Cell: term.Text(strconv.FormatInt(v.Rows, 10))},
				{Title: "newest", Cell: term.When(v.Head.At)},
				{Title: "head", Cell: term.Text(v.Head.Hash.String())},
				{Title: "fault", Cell: term.Text(v.Reason)},
			}
		},
	}
}

// readHeads reads heads, one JSON object a line; none when no file is named.
func readHeads(file string) ([]molecule.AuditHead, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "cannot read the heads: %v", err).WithHint("name the file of audit.export_file")
	}
	defer f.Close() //nolint:errcheck // it was only read
	var heads []molecule.AuditHead
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		var h molecule.AuditHead
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			return nil, molecule.Errorf(molecule.Invalid, "%s:%d is no head: %v", file, n, err).
				WithHint("a line is {\"id\":…,\"at\":…,\"hash\":…}, as audit.export_file has them")
		}
		heads = append(heads, h)
	}
	return heads, lines.Err()
}
