//! EKS pod identity associations: which pods get which role. Amazon EKS API.
//!
//! Pods that get their role by a web identity token (IRSA) show in the trust policy of the role instead.

use std::collections::BTreeSet;

use aws_sdk_eks::Client;
use aws_sdk_eks::operation::list_clusters::ListClustersOutput;
use aws_sdk_eks::operation::list_pod_identity_associations::ListPodIdentityAssociationsOutput;
use aws_sdk_eks::types::PodIdentityAssociation;

use super::Scan;
use super::around::each;
use super::calls::{
    DESCRIBE_POD_IDENTITY_ASSOCIATION, LIST_KUBERNETES_CLUSTERS, LIST_POD_IDENTITY_ASSOCIATIONS,
};
use super::failure::Failure;
use super::flow::Flow;
use crate::account::{Tag, Workload, WorkloadKind};
use crate::arn::Arn;

/// A page of each list, the largest that EKS allows.
const PAGE: i32 = 100;

/// The pod identity associations of a region.
pub(super) async fn pod_identities(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("eks", Some(region));
    let mut clusters: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_where_offered(
            &LIST_KUBERNETES_CLUSTERS,
            region,
            |token| {
                client
                    .list_clusters()
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListClustersOutput::next_token,
            |page| clusters.extend(page.clusters.unwrap_or_default()),
        )
        .await;
    unit.known(clusters.len());
    let workloads = each(clusters.into_iter().collect(), async |cluster: String| {
        let workloads = of_cluster(scan, &client, region, &cluster).await;
        unit.advanced(1);
        workloads
    })
    .await;
    Flow {
        workloads: workloads.into_iter().flatten().collect(),
        ..Flow::default()
    }
}

async fn of_cluster(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    cluster: &str,
) -> Vec<Workload> {
    let mut associations: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_of(
            &LIST_POD_IDENTITY_ASSOCIATIONS,
            Some(region),
            cluster,
            |token| {
                client
                    .list_pod_identity_associations()
                    .cluster_name(cluster)
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListPodIdentityAssociationsOutput::next_token,
            |page| {
                for association in page.associations() {
                    match association.association_id() {
                        Some(id) => {
                            associations.insert(id.to_owned());
                        }
                        None => scan.reader.failed(
                            &LIST_POD_IDENTITY_ASSOCIATIONS,
                            Some(region),
                            Some(cluster),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    let workloads = each(associations.into_iter().collect(), async |id: String| {
        describe(scan, client, region, cluster, &id).await
    })
    .await;
    workloads.into_iter().flatten().collect()
}

async fn describe(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    cluster: &str,
    id: &str,
) -> Option<Workload> {
    let request = client
        .describe_pod_identity_association()
        .cluster_name(cluster)
        .association_id(id)
        .send();
    let read = scan
        .reader
        .call(&DESCRIBE_POD_IDENTITY_ASSOCIATION, Some(region), request)
        .await
        .and_then(|answer| {
            answer
                .association()
                .and_then(|association| read(scan, region, cluster, association))
                .ok_or_else(|| Failure::word("MalformedResponse"))
        });
    match read {
        Ok(workload) => Some(workload),
        Err(failure) => {
            scan.reader.still_exists(
                &DESCRIBE_POD_IDENTITY_ASSOCIATION,
                Some(region),
                &format!("{cluster}/{id}"),
                &failure,
            );
            None
        }
    }
}

/// With a target role EKS assumes the role of the association and, as that one, the target role: the pods hold a session of
/// the target role only. The tags that EKS gives a session are transitive, so the second session carries them too.
fn read(
    scan: &Scan<'_>,
    region: &str,
    cluster: &str,
    association: &PodIdentityAssociation,
) -> Option<Workload> {
    let arn = Arn::parse(association.association_arn()?).ok()?;
    let role = association
        .target_role_arn()
        .filter(|role| !role.is_empty())
        .or_else(|| association.role_arn())?;
    let session_tags = if association.disable_session_tags() == Some(true) {
        Vec::new()
    } else {
        session_tags(scan, region, cluster, association)?
    };
    if association
        .policy()
        .is_some_and(|policy| !policy.trim().is_empty())
    {
        let detail = "its session policy takes no part: its pods may do less than shown";
        scan.reader
            .note(Some(region), "eks", Some(arn.as_str()), detail);
    }
    Some(Workload {
        kind: WorkloadKind::PodIdentity,
        runs_as: Arn::parse(role).ok()?,
        arn,
        session_tags,
    })
}

/// The tags that are the same for every pod of an association; name and UID of the pod are not.
fn session_tags(
    scan: &Scan<'_>,
    region: &str,
    cluster: &str,
    association: &PodIdentityAssociation,
) -> Option<Vec<Tag>> {
    let cluster_arn = scan.arn("eks", region, &format!("cluster/{cluster}"))?;
    let tag = |key: &str, value: &str| Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    Some(vec![
        tag("eks-cluster-arn", cluster_arn.as_str()),
        tag("eks-cluster-name", cluster),
        tag("kubernetes-namespace", association.namespace()?),
        tag("kubernetes-service-account", association.service_account()?),
    ])
}
