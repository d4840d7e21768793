package redisstore_test

func beLeader() {}
