package cron

// dateOf returns the date of a day counted from 1970-01-01.
func dateOf(days int64) (y, m, d int) {
	// Count from 1 March of the year 0: the leap day is then the last of a
	// year, and the lengths of the months before it repeat every five.
	days += 719468
	era := floorDiv(days, 146097)
	ofEra := days - era*146097
	year := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*year + year/4 - year/100)
	mp := (5*ofYear + 2) / 153
	d = int(ofYear-(153*mp+2)/5) + 1
	m = int(mp) + 3
	y = int(year + era*400)
	if m > 12 {
		m, y = m-12, y+1
	}
	return y, m, d
}

// yearStart returns the number of 1 January, counted from 1970-01-01.
func yearStart(y int) int64 { return monthStart(y, 1) }

// monthStart returns the number of the first of a month, counted so.
func monthStart(y, m int) int64 {
	if m < 3 {
		y, m = y-1, m+12
	}
	before := int64(y) // as in dateOf, years begin in March
	return before*365 + floorDiv(before, 4) - floorDiv(before, 100) + floorDiv(before, 400) + int64(153*(m-3)+2)/5 - 719468
}

// lengthOf returns how many days a month has.
func lengthOf(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
