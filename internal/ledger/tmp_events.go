package ledger

const (
	CalledOff Event = "called-off"
	Collapsed Event = "collapsed"
)
