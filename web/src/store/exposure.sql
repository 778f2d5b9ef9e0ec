-- The definition of distance and takeovers: by kind of vehicle and by policy, over everything ever driven.
WITH driven AS (
  SELECT vehicle, policy, autonomous_m, manual_m FROM mileage
  UNION ALL
  SELECT vehicle, policy, autonomous_m, manual_m FROM trips
), distance AS (
  SELECT v.kind, d.policy, SUM(d.autonomous_m) AS autonomous_m, SUM(d.manual_m) AS manual_m
  FROM driven d JOIN vehicles v ON v.id = d.vehicle GROUP BY v.kind, d.policy
), taken AS (
  SELECT v.kind, d.policy, COUNT(*) AS takeovers
  FROM disengagements d JOIN vehicles v ON v.id = d.vehicle GROUP BY v.kind, d.policy
)
SELECT kind AS kind, policy AS policy, COALESCE(autonomous_m, 0.0) AS autonomous_m,
  COALESCE(manual_m, 0.0) AS manual_m, COALESCE(takeovers, 0) AS takeovers
FROM distance FULL JOIN taken USING (kind, policy)
LEFT JOIN policies p ON p.version = policy
ORDER BY p.seq IS NULL, p.seq, policy, kind
