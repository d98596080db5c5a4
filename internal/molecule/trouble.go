package molecule

// StaleAfter is how many blank replies in a row make a schedule stale.
const StaleAfter = 3

// Trouble is a schedule, or a run, that waits for a person.
type Trouble struct {
	Schedule string // name; empty for a run of none
	Run      string // id; empty for a schedule
	Agent    string // name
	Reason   string
	Count    int // of blank replies in a row
}

// Troubles are all of them.
type Troubles struct {
	Failed  []Trouble // schedules in the state error
	Stale   []Trouble // schedules with StaleAfter blank replies in a row, or more
	Waiting []Trouble // runs whose agent asks for input
}
