import protobuf from "protobufjs";
import { compress } from "snappyjs";

/** The part of Prometheus' remote write protocol (prometheus.WriteRequest) that carries samples and native histograms. */
const PROTO = `
syntax = "proto3";
message WriteRequest { repeated TimeSeries timeseries = 1; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Histogram histograms = 4; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
message Histogram {
  uint64 count_int = 1;
  double sum = 3;
  sint32 schema = 4;
  double zero_threshold = 5;
  uint64 zero_count_int = 6;
  repeated BucketSpan positive_spans = 11;
  repeated sint64 positive_deltas = 12;
  int64 timestamp = 15;
}`;
const WriteRequest = protobuf.parse(PROTO, { keepCase: true }).root.lookupType("WriteRequest");

/** A cumulative native histogram of one series at one time: counts by exponent, bucket i holding (2^((i-1)/2^schema), 2^(i/2^schema)]. */
export interface NativePoint {
  readonly atSeconds: number;
  readonly schema: number;
  readonly zeros: number;
  readonly counts: ReadonlyMap<number, number>;
  readonly sum: number;
}

export async function remoteWrite(
  url: string,
  series: readonly {
    labels: Readonly<Record<string, string>>;
    points?: readonly NativePoint[];
    samples?: readonly { readonly atSeconds: number; readonly value: number }[];
  }[],
): Promise<void> {
  const timeseries = series.map(({ labels, points = [], samples = [] }) => ({
    labels: Object.entries(labels)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    samples: samples.map(({ atSeconds, value }) => ({ value, timestamp: Math.round(atSeconds * 1000) })),
    histograms: points.map(toHistogram),
  }));
  const bytes = WriteRequest.encode(WriteRequest.create({ timeseries })).finish();
  const response = await fetch(`${url}/api/v1/write`, {
    method: "POST",
    headers: {
      "content-type": "application/x-protobuf",
      "content-encoding": "snappy",
      "x-prometheus-remote-write-version": "0.1.0",
    },
    body: new Uint8Array(compress(bytes)),
  });
  if (!response.ok) throw new Error(`remote write: ${response.status} ${await response.text()}`);
}

function toHistogram({ atSeconds, schema, zeros, counts, sum }: NativePoint): object {
  const exponents = [...counts.keys()].toSorted((a, b) => a - b);
  const spans: { offset: number; length: number }[] = [];
  const deltas: number[] = [];
  let previous = 0;
  for (const [index, exponent] of exponents.entries()) {
    const before = exponents[index - 1];
    const span = spans.at(-1);
    if (span !== undefined && before === exponent - 1) span.length += 1;
    else spans.push({ offset: before === undefined ? exponent : exponent - before - 1, length: 1 });
    const count = counts.get(exponent) ?? 0;
    deltas.push(count - previous);
    previous = count;
  }
  const total = zeros + [...counts.values()].reduce((all, count) => all + count, 0);
  return {
    count_int: total,
    sum,
    schema,
    zero_threshold: 1e-6,
    zero_count_int: zeros,
    positive_spans: spans,
    positive_deltas: deltas,
    timestamp: Math.round(atSeconds * 1000),
  };
}
