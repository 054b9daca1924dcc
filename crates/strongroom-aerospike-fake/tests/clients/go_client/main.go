// go_client HOST:PORT...: the official Go client writes and reads against the fake.
//
// Prints "go client: N checks passed" and ends with 0, or says what differs and ends with 1.
package main

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"strconv"

	as "github.com/aerospike/aerospike-client-go/v8"
	"github.com/aerospike/aerospike-client-go/v8/types"
)

var checks int

func check(what string, found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		fmt.Printf("%s: found %#v, expected %#v\n", what, found, expected)
		os.Exit(1)
	}
	checks++
}

func must[T any](value T, err as.Error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return value
}

// records counts the records of a query over all partitions, each by its number.
func records(client *as.Client, set string) map[int]int {
	found := map[int]int{}
	rows := must(client.QueryPartitions(nil, as.NewStatement("test", set), as.NewPartitionFilterAll()))
	for row := range rows.Results() {
		if row.Err != nil {
			fmt.Println(row.Err)
			os.Exit(1)
		}
		found[row.Record.Bins["n"].(int)]++
	}
	return found
}

func main() {
	hosts := []*as.Host{}
	for _, address := range os.Args[1:] {
		host, port, _ := net.SplitHostPort(address)
		number, _ := strconv.Atoi(port)
		hosts = append(hosts, as.NewHost(host, number))
	}
	client := must(as.NewClientWithPolicyAndHost(as.NewClientPolicy(), hosts...))
	defer client.Close()
	check("nodes", len(client.GetNodes()), len(os.Args)-1)

	policy := as.NewWritePolicy(0, 0)
	policy.SendKey = true
	for number := range 300 {
		key := must(as.NewKey("test", "go", number))
		bins := as.BinMap{"n": number, "f": 1.5, "s": "schön", "l": []any{1, "a"}, "m": map[any]any{"a": 1}, "t": true}
		if err := client.Put(policy, key, bins); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		record := must(client.Get(nil, key))
		check("a record", record.Bins, bins)
		check("a generation", record.Generation, uint32(1))
	}
	found := records(client, "go")
	check("records in a query", len(found), 300)
	for number, times := range found {
		check(fmt.Sprintf("times of record %d", number), times, 1)
	}
	check("records of another set", len(records(client, "nothing")), 0)

	_, err := client.Get(nil, must(as.NewKey("test", "go", "nobody")))
	check("a missing record", err != nil && err.Matches(types.KEY_NOT_FOUND_ERROR), true)
	create := as.NewWritePolicy(0, 0)
	create.RecordExistsAction = as.CREATE_ONLY
	err = client.Put(create, must(as.NewKey("test", "go", 1)), as.BinMap{"x": 1})
	check("a record twice", err != nil && err.Matches(types.KEY_EXISTS_ERROR), true)

	batch := []as.BatchRecordIfc{}
	for number := range 100 {
		key := must(as.NewKey("test", "batch", number))
		batch = append(batch, as.NewBatchWrite(nil, key, as.PutOp(as.NewBin("n", number))))
	}
	if err := client.BatchOperate(nil, batch); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	check("records of a batch", len(records(client, "batch")), 100)
	if err := client.Truncate(nil, "test", "batch", nil); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	check("records of a truncated set", len(records(client, "batch")), 0)
	fmt.Printf("go client: %d checks passed\n", checks)
}
