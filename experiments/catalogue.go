package experiments

// Catalogue are all experiments, in the order of teaching.
var Catalogue = []*Experiment{
	callerHeld,
	sharedQueue,
	queueHolderKilled,
	taskLeavesTheQueue,
	workerCrash,
	randomKill,
	politeStop,
	leaseOutlived,
	timeToReturn,
	oneWorkerPerTask,
	retries,
	flakyService,
	exactDelays,
	mixedDelays,
	delayedQueueName,
	redisPersistence,
	rabbitDurability,
	states,
	lateStates,
	keptResults,
	resultStoreKilled,
	resultStores,
	watchedLoad,
}
