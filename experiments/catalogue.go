package experiments

// Catalogue are all experiments, in the order of teaching.
var Catalogue = []*Experiment{
	queueHolderKilled,
	taskLeavesTheQueue,
	workerCrash,
	randomKill,
	politeStop,
	oneWorkerPerTask,
}
