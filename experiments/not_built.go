package experiments

// PartNotBuilt are the claims of which the experiments put only a part to the test, with
// the part that they do not. Their verdicts say it.
var PartNotBuilt = map[string]string{
	"G4": "from a web page, for there is none yet; what was edited was edited from the command line or in a file",
}

// NotBuilt are the claims that no experiment puts to the test yet, with the
// subject they belong to. A claim that is here is in no experiment, and the
// other way round; a test holds that all 87 are in one of the two.
var NotBuilt = map[string]string{
	"A3":  "why a queue, why a broker",
	"A5":  "why a queue, why a broker",
	"A6":  "why a queue, why a broker",
	"B9":  "crashes of workers",
	"B10": "crashes of workers",
	"C2":  "acknowledgement and prefetch",
	"C3":  "acknowledgement and prefetch",
	"C4":  "acknowledgement and prefetch",
	"D4":  "failure and retries",
	"D5":  "failure and retries",
	"D6":  "failure and retries",
	"H4":  "routing and priority",
	"I4":  "Redis persistence",
	"I5":  "Redis persistence",
	"J1":  "Redis under pressure",
	"J2":  "Redis under pressure",
	"J3":  "Redis under pressure",
	"J4":  "Redis under pressure",
	"K1":  "Redis concurrency",
	"K2":  "Redis concurrency",
	"K3":  "Redis concurrency",
	"L1":  "Redis Pub/Sub",
	"M1":  "Redis replication and failover",
	"M2":  "Redis replication and failover",
	"N1":  "Redis security",
	"N2":  "Redis security",
	"N3":  "Redis security",
	"N4":  "Redis security",
	"O2":  "RabbitMQ durability",
	"O3":  "RabbitMQ durability",
	"P1":  "RabbitMQ availability",
	"P2":  "RabbitMQ availability",
	"P3":  "RabbitMQ availability",
	"Q1":  "RabbitMQ under pressure",
	"Q2":  "RabbitMQ under pressure",
	"Q3":  "RabbitMQ under pressure",
	"S1":  "Redis or RabbitMQ",
	"S2":  "Redis or RabbitMQ",
	"S3":  "Redis or RabbitMQ",
	"S4":  "Redis or RabbitMQ",
	"T1":  "the broker goes away",
	"T2":  "the broker goes away",
	"T3":  "the broker goes away",
	"U1":  "other engines",
	"U2":  "other engines",
	"U3":  "other engines",
}
