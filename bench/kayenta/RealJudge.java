import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.netflix.kayenta.canary.CanaryClassifierThresholdsConfig;
import com.netflix.kayenta.canary.CanaryConfig;
import com.netflix.kayenta.judge.NetflixACAJudge;
import com.netflix.kayenta.metrics.MetricSetPair;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.List;

/** Kayenta's own judge: a request of its remote judge on each line of the input, its answer on each line of the output; the seconds they took on stderr. */
public class RealJudge {
  public static void main(String[] args) throws Exception {
    ObjectMapper mapper = new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
    NetflixACAJudge judge = new NetflixACAJudge();
    StringBuilder out = new StringBuilder();
    List<String> lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8")).lines().toList();
    long began = System.nanoTime();
    for (String line : lines) {
      JsonNode request = mapper.readTree(line);
      CanaryConfig config = mapper.treeToValue(request.get("canaryConfig"), CanaryConfig.class);
      CanaryClassifierThresholdsConfig thresholds =
          mapper.treeToValue(request.get("scoreThresholds"), CanaryClassifierThresholdsConfig.class);
      MetricSetPair[] pairs = mapper.treeToValue(request.get("metricSetPairList"), MetricSetPair[].class);
      out.append(mapper.writeValueAsString(judge.judge(config, thresholds, Arrays.asList(pairs)))).append('\n');
    }
    double seconds = (System.nanoTime() - began) / 1e9;
    System.out.print(out);
    System.err.println(seconds);
  }
}
