package molecule

// Prunable says which finished runs of one schedule may go. Ids are in the order
// runs were made in, and each bound is one that no longer may.
type Prunable struct {
	ScheduleID string // empty: runs that no schedule has
	After      string // only ids above it
	UpTo       string // no id above it: the newest ones are kept whatever they are
	Ordinary   string // runs of ordinary outcome may go below it
	Others     string // and all others below it, which is not behind Ordinary
}

// Overfull is a schedule that has more runs than it keeps whatever they are.
type Overfull struct {
	ScheduleID string
	UpTo       string  // the newest of those that are too many
	Budget     *Budget // of the schedule; its runs count while they are in the window
}
