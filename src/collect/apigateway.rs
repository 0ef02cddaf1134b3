//! Integrations of APIs that send: REST APIs of the API Gateway API; HTTP and WebSocket APIs of its second version.
//!
//! Whoever may call an API sends through its integration; nothing of the account has to put anything in. An integration that
//! passes the caller's own credentials on sends nothing by itself and is left out.

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
use super::calls::{GET_APIS, GET_INTEGRATIONS, GET_RESOURCES, GET_REST_APIS};
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
            |page| apis.extend(page.items.into_iter().flatten().filter_map(|api| api.id)),
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

fn of_resource(scan: &Scan<'_>, region: &str, api: &str, resource: &Resource) -> Vec<Delivery> {
    let id = resource.id().unwrap_or_default();
    let methods = resource.resource_methods().into_iter().flatten();
    methods
        .filter_map(|(verb, method)| {
            let path = format!("/restapis/{api}/resources/{id}/methods/{verb}/integration");
            of_method(scan, region, &path, method)
        })
        .collect()
}

fn of_method(scan: &Scan<'_>, region: &str, path: &str, method: &Method) -> Option<Delivery> {
    let integration = method.method_integration()?;
    let to = Integration {
        uri: integration.uri()?,
        parameters: integration.request_parameters(),
        templates: integration.request_templates(),
    }
    .target()?;
    delivery(scan, region, path, to, integration.credentials())
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
                apis.extend(
                    page.items
                        .into_iter()
                        .flatten()
                        .filter_map(|api| api.api_id),
                );
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
) -> Option<Delivery> {
    let parameters = integration.request_parameters();
    let to = match integration.integration_subtype() {
        Some(subtype) => target_of_subtype(subtype, parameters, &scan.partition, region),
        None => Integration {
            uri: integration.integration_uri()?,
            parameters,
            templates: integration.request_templates(),
        }
        .target(),
    }?;
    let id = integration.integration_id().unwrap_or_default();
    let path = format!("/apis/{api}/integrations/{id}");
    delivery(scan, region, &path, to, integration.credentials_arn())
}

/// None without a role of its own: the caller's credentials are passed on (`arn:aws:iam::*:user/*`), or none are used.
fn delivery(
    scan: &Scan<'_>,
    region: &str,
    path: &str,
    to: Arn,
    credentials: Option<&str>,
) -> Option<Delivery> {
    let role = Arn::parse(credentials?)
        .ok()
        .filter(|role| role.resource().starts_with("role/"))?;
    Some(Delivery {
        kind: DeliveryKind::Integration,
        configured_by: Arn::build(&scan.partition, "apigateway", region, "", path).ok()?,
        from: None,
        to,
        sender: Sender::Role(role),
        enabled: true,
        failures_only: false,
        filter: None,
    })
}
