//! Integrations of APIs that send or start something: REST APIs of the API Gateway API; HTTP and WebSocket APIs of its second
//! version.
//!
//! Whoever may call an API sends through its integration; nothing of the account has to put anything in. An integration has a
//! role of its own; one with a function can do without, and then API Gateway asks the policy of the function on behalf of the
//! API. One that passes the caller's own credentials on sends nothing by itself and is left out.

use std::collections::BTreeSet;

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::operation::get_resources::GetResourcesOutput;
use aws_sdk_apigateway::operation::get_rest_apis::GetRestApisOutput;
use aws_sdk_apigateway::types::{Method, Resource};
use aws_sdk_apigatewayv2::Client as ClientV2;
use aws_sdk_apigatewayv2::operation::get_apis::GetApisOutput;
use aws_sdk_apigatewayv2::operation::get_integrations::GetIntegrationsOutput;

use super::Scan;
use super::around::each;
use super::calls::{Call, GET_APIS, GET_INTEGRATIONS, GET_RESOURCES, GET_REST_APIS};
use super::failure::Failure;
use super::flow::Flow;
use super::integration::{Integration, target_of_subtype};
use crate::account::{Delivery, DeliveryKind, Sender};
use crate::arn::Arn;

/// A page of REST APIs or of their resources, the largest that API Gateway allows.
const PAGE: i32 = 500;
/// What `GetResources` is to return besides the resources.
const METHODS: &str = "methods";

/// The integrations of a region that send.
pub(super) async fn integrations(scan: &Scan<'_>, region: &str) -> Flow {
    let unit = scan.reader.unit("apigateway", Some(region));
    let config = scan.session.in_region(region);
    let (rest, others) = (Client::new(&config), ClientV2::new(&config));
    let (rest, others) = tokio::join!(
        of_rest_apis(scan, &rest, region),
        of_other_apis(scan, &others, region)
    );
    let deliveries: Vec<Delivery> = rest.into_iter().chain(others).collect();
    unit.advanced(deliveries.len());
    Flow {
        deliveries,
        ..Flow::default()
    }
}

async fn of_rest_apis(scan: &Scan<'_>, client: &Client, region: &str) -> Vec<Delivery> {
    let mut apis: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_where_offered(
            &GET_REST_APIS,
            region,
            |position| {
                client
                    .get_rest_apis()
                    .limit(PAGE)
                    .set_position(position)
                    .send()
            },
            GetRestApisOutput::position,
            |page| {
                let ids = page.items.into_iter().flatten().map(|api| api.id);
                keep_ids(scan, &GET_REST_APIS, region, ids, &mut apis);
            },
        )
        .await;
    let deliveries = each(apis.into_iter().collect(), async |api: String| {
        let mut deliveries = Vec::new();
        scan.reader
            .pages_of(
                &GET_RESOURCES,
                Some(region),
                &api,
                |position| {
                    client
                        .get_resources()
                        .rest_api_id(&api)
                        .embed(METHODS)
                        .limit(PAGE)
                        .set_position(position)
                        .send()
                },
                GetResourcesOutput::position,
                |page| {
                    for resource in page.items() {
                        deliveries.extend(of_resource(scan, region, &api, resource));
                    }
                },
            )
            .await;
        deliveries
    })
    .await;
    deliveries.into_iter().flatten().collect()
}

/// Keeps the ids of APIs; one that has none cannot be asked for, and is a gap.
fn keep_ids(
    scan: &Scan<'_>,
    call: &Call,
    region: &str,
    ids: impl Iterator<Item = Option<String>>,
    into: &mut BTreeSet<String>,
) {
    for id in ids {
        match id {
            Some(id) => {
                into.insert(id);
            }
            None => scan.reader.failed(
                call,
                Some(region),
                None,
                &Failure::word("MalformedResponse"),
            ),
        }
    }
}

fn of_resource(scan: &Scan<'_>, region: &str, api: &str, resource: &Resource) -> Vec<Delivery> {
    let id = resource.id().unwrap_or_default();
    let methods = resource.resource_methods().into_iter().flatten();
    methods
        .flat_map(|(verb, method)| {
            let sent = Sent {
                scan,
                region,
                path: format!("/restapis/{api}/resources/{id}/methods/{verb}/integration"),
                called: called(api, verb, resource.path().unwrap_or_default()),
            };
            of_method(&sent, method)
        })
        .collect()
}

/// What stands in the place of a resource when API Gateway calls on behalf of a method: the API, the stage, the verb and the
/// path, of which a request tells what is `*` here.
fn called(api: &str, verb: &str, path: &str) -> String {
    let verb = if verb == "ANY" { "*" } else { verb };
    let segments: Vec<&str> = path
        .trim_start_matches('/')
        .split('/')
        .map(|segment| if segment.contains('{') { "*" } else { segment })
        .collect();
    format!("{api}/*/{verb}/{}", segments.join("/"))
}

fn of_method(sent: &Sent<'_, '_>, method: &Method) -> Vec<Delivery> {
    let Some(integration) = method.method_integration() else {
        return Vec::new();
    };
    let targets = Integration {
        uri: integration.uri().unwrap_or_default(),
        parameters: integration.request_parameters(),
        templates: integration.request_templates(),
    }
    .targets(sent.scan.account.as_str());
    targets
        .into_iter()
        .filter_map(|to| sent.delivery(to, integration.credentials()))
        .collect()
}

async fn of_other_apis(scan: &Scan<'_>, client: &ClientV2, region: &str) -> Vec<Delivery> {
    let mut apis: BTreeSet<String> = BTreeSet::new();
    scan.reader
        .pages_where_offered(
            &GET_APIS,
            region,
            |token| client.get_apis().set_next_token(token).send(),
            GetApisOutput::next_token,
            |page| {
                let ids = page.items.into_iter().flatten().map(|api| api.api_id);
                keep_ids(scan, &GET_APIS, region, ids, &mut apis);
            },
        )
        .await;
    let deliveries = each(apis.into_iter().collect(), async |api: String| {
        let mut deliveries = Vec::new();
        scan.reader
            .pages_of(
                &GET_INTEGRATIONS,
                Some(region),
                &api,
                |token| {
                    client
                        .get_integrations()
                        .api_id(&api)
                        .set_next_token(token)
                        .send()
                },
                GetIntegrationsOutput::next_token,
                |page| {
                    for integration in page.items() {
                        deliveries.extend(of_integration(scan, region, &api, integration));
                    }
                },
            )
            .await;
        deliveries
    })
    .await;
    deliveries.into_iter().flatten().collect()
}

fn of_integration(
    scan: &Scan<'_>,
    region: &str,
    api: &str,
    integration: &aws_sdk_apigatewayv2::types::Integration,
) -> Vec<Delivery> {
    let parameters = integration.request_parameters();
    let account = scan.account.as_str();
    let targets = match integration.integration_subtype() {
        Some(subtype) => target_of_subtype(subtype, parameters, &scan.partition, (region, account))
            .into_iter()
            .collect(),
        None => Integration {
            uri: integration.integration_uri().unwrap_or_default(),
            parameters,
            templates: integration.request_templates(),
        }
        .targets(account),
    };
    let id = integration.integration_id().unwrap_or_default();
    let sent = Sent {
        scan,
        region,
        path: format!("/apis/{api}/integrations/{id}"),
        // Which routes lead to an integration is not asked for.
        called: format!("{api}/*"),
    };
    targets
        .into_iter()
        .filter_map(|to| sent.delivery(to, integration.credentials_arn()))
        .collect()
}

/// An integration, as what sends.
struct Sent<'s, 'r> {
    scan: &'s Scan<'s>,
    region: &'r str,
    /// Its own path.
    path: String,
    /// The resource on whose behalf API Gateway calls, with `*` for what the request tells.
    called: String,
}

impl Sent<'_, '_> {
    /// None where it sends as somebody who is not known: the caller (`arn:aws:iam::*:user/*`), or nobody.
    fn delivery(&self, to: Arn, credentials: Option<&str>) -> Option<Delivery> {
        let sender = match credentials.filter(|text| !text.is_empty()) {
            Some(text) => Arn::parse(text)
                .ok()
                .filter(|role| role.resource().starts_with("role/"))
                .map(Sender::Role)?,
            // Only functions have a policy that lets API Gateway itself in.
            None if to.service() != "lambda" => return None,
            None => Sender::Service {
                name: "apigateway.amazonaws.com".to_owned(),
                source: self.scan.arn("execute-api", self.region, &self.called)?,
            },
        };
        let partition = &self.scan.partition;
        Some(Delivery {
            kind: DeliveryKind::Integration,
            configured_by: Arn::build(partition, "apigateway", self.region, "", &self.path).ok()?,
            from: None,
            to,
            sender,
            enabled: true,
            failures_only: false,
            filter: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_request_tells_is_left_open() {
        assert_eq!(called("a1", "GET", "/orders"), "a1/*/GET/orders");
        assert_eq!(called("a1", "ANY", "/"), "a1/*/*/");
        assert_eq!(
            called("a1", "PUT", "/orders/{id}/{rest+}"),
            "a1/*/PUT/orders/*/*"
        );
    }
}
